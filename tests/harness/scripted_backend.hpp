// The backend, played by the test itself, step by step on the test's own thread:
//     auto up = backend.accept();
//     CHECK(up.receive_head() == "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
//     up.send("HTTP/1.1 204 No Content\r\n\r\n");
#pragma once

#include "tests/harness/listener.hpp"

#include <cstddef>
#include <stdexcept>
#include <thread>

namespace harness {

class scripted_backend {
public:
    explicit scripted_backend(int backlog = 128) : listener_(0, backlog) {}

    std::uint16_t port() const noexcept { return listener_.port(); }
    wire accept() {
        ++connections_;
        return listener_.accept();
    }
    // A first exchange of `client`'s; gives the connection on which it came, which is kept.
    wire serve_one(wire& client, std::string_view request, std::string_view answer);
    // Waits for the next request wherever it comes: on the kept connection, or on a new one, which takes its place.
    void await_request(wire& kept);
    std::size_t connections() const noexcept { return connections_; } // accepted
    // No connection but those accepted has come. What the sidecar does before it answers has happened by then.
    bool untouched() { return !listener_.has_connection(); }

    void refuse() noexcept { listener_.close(); }
    void listen_again() { listener_.listen_again(); }

private:
    listener listener_;
    std::size_t connections_ = 0;
};

inline wire scripted_backend::serve_one(wire& client, std::string_view request, std::string_view answer) {
    client.send(request);
    auto up = accept();
    up.receive_request();
    up.send(answer);
    if (client.receive(answer.size()) != answer) throw std::runtime_error("client: another answer");
    return up;
}

inline void scripted_backend::await_request(wire& kept) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (untouched()) {
        if (kept.is_open() && kept.has_bytes()) return;
        if (std::chrono::steady_clock::now() > until) throw std::runtime_error("backend: waited in vain for a request");
        std::this_thread::yield();
    }
    kept = accept();
}

} // namespace harness
