// One worker on this thread, with both of its sides in hand: clients are socket pairs that it is given, the backend is
// a listening socket of the test's. Nothing waits and no other thread acts, so that the same calls give the same
// events.
#pragma once

#include "proxy/data_plane/worker.hpp"
#include "proxy/shared.hpp"
#include "tests/harness/wire.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace cuts {

using harness::ending;

// A connected, non-blocking socket. It keeps what has come, and how it ended.
class end {
public:
    end() = default;
    explicit end(int descriptor) : descriptor_(descriptor) {}
    ~end() { close(); }
    end(end&&) noexcept;
    end& operator=(end&&) noexcept;
    end(const end&) = delete;
    end& operator=(const end&) = delete;

    bool is_open() const noexcept { return descriptor_ >= 0; }
    // How much of it went; less if the other side takes no more, or is gone.
    std::size_t send(std::string_view bytes);
    bool send_urgent(char byte); // TCP only
    bool read();                 // what there is; false: nothing new
    void end_writing();          // FIN
    void reset();                // a Unix socket's peer sees an end
    void close() noexcept;

    const std::string& received() const noexcept { return received_; }
    ending ended() const noexcept { return ended_; }

private:
    int descriptor_ = -1;
    std::string received_;
    ending ended_ = ending::none;
};

// Unix sockets are quicker; only TCP tells a reset from an end, and knows urgent bytes.
enum class family { unix_socket, tcp };

class stage {
public:
    using edit = std::function<void(sidecar::config&)>;

    // Limits are the default ones unless edited.
    stage(family, const edit&, std::string_view document);
    ~stage();
    stage(const stage&) = delete;
    stage& operator=(const stage&) = delete;

    end connect_client();
    std::optional<end> accept_backend(); // the next connection that the worker has made, if there is one
    std::size_t turn() { return worker_->poll(); }
    void skip(std::chrono::milliseconds by);

    // Another configuration, or another document, from now on. What was learned is forgotten.
    void reconfigure(const edit&);
    void publish(std::string_view document);
    void drain() { worker_->announce_drain(); }
    const sidecar::worker_metrics& metrics() const { return worker_->metrics(); }

private:
    void listen();
    std::pair<int, int> connected_pair();

    family family_;
    std::string folder_;
    int listener_ = -1;
    int tcp_clients_ = -1; // a listener to make pairs with
    int log_descriptor_ = -1;
    sidecar::socket_address address_;
    std::chrono::milliseconds skipped_{0};
    std::unique_ptr<sidecar::log> log_;
    sidecar::readiness_board board_;
    std::unique_ptr<sidecar::shared> shared_;
    std::unique_ptr<sidecar::worker> worker_;
};

} // namespace cuts
