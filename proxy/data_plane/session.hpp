// One client's connection: serves one exchange after the other while it lives. At rest it holds no buffer.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/connection.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/worker_context.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <string>

namespace sidecar {

class session final : public waiter, private event_target {
public:
    // What a connection beyond the limit gets: its request read and a 503, so that the client sees an answer.
    enum class admission : std::uint8_t { serve, refuse };

    session(worker_context&, const sockaddr_storage& peer, admission);
    ~session();

    // Takes the descriptor over. Runs until it first waits.
    void start(int descriptor);

    // Ends it if no request is under way (drain).
    void end_if_idle();

    // The places where an exchange works on the session.
    connection client;
    buffer received; // from the client, not yet consumed: heads, small bodies, pipelined requests
    event_target& events() noexcept { return *this; }
    const std::string& peer_address(); // as text
    admission admitted() const noexcept { return admission_; }

    session* previous = nullptr; // in the worker's list
    session* next = nullptr;

private:
    void on_event(std::uint32_t) override { wake(); }
    task<> serve();
    task<> serve_all();
    task<bool> wait_for_request(bool first);
    task<> linger();

    worker_context& context_;
    sockaddr_in6 peer_;        // or what of an IPv4 address fits into it: all
    std::string peer_address_; // once it is asked for
    admission admission_;
    bool idle_ = false;
    task<> life_;
};

} // namespace sidecar
