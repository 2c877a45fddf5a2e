// One client's connection: serves one exchange after the other while it lives. At rest it holds no buffer. One thread.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/stream.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/worker_state.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>

namespace sidecar {

// What becomes of the client's connection. `linger`: it may still be sending; closed so that the response survives.
enum class after_exchange : std::uint8_t { keep, close, linger, reset };

class session {
public:
    // What a connection beyond the limit gets: its request read and a 503, so that the client sees a response.
    enum class admission : std::uint8_t { serve, refuse };

    // `ended` is called once its life is over, within its own coroutine: to be destroyed later.
    session(worker_state&, const sockaddr_storage& peer, admission, std::function<void(session&)> ended);
    ~session();
    session(const session&) = delete;
    session& operator=(const session&) = delete;

    // Takes the descriptor over, whatever happens. Runs until it first waits.
    void start(int descriptor) noexcept;

    // Ends it if no request is under way (drain).
    void end_if_idle() noexcept;
    // Ends it at once: what is under way fails, and the client sees a reset.
    void cut() noexcept { client.abandon(); }
    bool is_idle() const noexcept { return idle_; }

    // The places where an exchange works on the session.
    stream client;
    buffer received; // from the client, not yet consumed: what is behind a head is a body's, or the next request's
    const std::string& peer_address(); // as text; an IPv4 client of a dual-stack listener is written as IPv4
    admission admitted() const noexcept { return admission_; }

    // Since when the backend is waited for within a message: to take more of the request, to send more of the response.
    // For the worker's look.
    time_point upload_waits_since = time_point::max();
    time_point download_waits_since = time_point::max();
    time_point backend_waited_for_since() const noexcept { return std::min(upload_waits_since, download_waits_since); }

    session* previous = nullptr; // in the worker's list
    session* next = nullptr;

private:
    task<> serve();
    task<> serve_all();
    void say_ended(std::string_view why) noexcept;
    task<bool> wait_for_request(bool first);
    task<after_exchange> serve_one();
    task<> linger();

    worker_state& worker_;
    std::function<void(session&)> ended_;
    sockaddr_in6 peer_;        // or what of an IPv4 address fits into it: all
    std::string peer_address_; // once it is asked for
    admission admission_;
    bool idle_ = false;
    task<> life_;
};

} // namespace sidecar
