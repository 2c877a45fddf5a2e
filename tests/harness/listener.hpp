// A listening socket on loopback. One thread.
#pragma once

#include "tests/harness/wire.hpp"

#include <cstdint>

namespace harness {

class listener {
public:
    explicit listener(std::uint16_t port = 0, int backlog = 128); // 0: any free one
    ~listener();
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    int descriptor() const noexcept { return descriptor_; }
    wire accept();                        // throws if none comes in time
    bool has_connection();                // now
    void close() noexcept;                // from then on connections are refused; the port is nobody else's meanwhile
    void listen_again(int backlog = 128); // on the same port

private:
    std::uint16_t port_;
    int held_; // bound, never listening
    int descriptor_ = -1;
};

// A port that nothing listens on, and nothing will while this lives.
class closed_port {
public:
    closed_port();
    ~closed_port();
    closed_port(const closed_port&) = delete;
    closed_port& operator=(const closed_port&) = delete;
    std::uint16_t port() const noexcept { return port_; }

private:
    int descriptor_ = -1;
    std::uint16_t port_ = 0;
};

} // namespace harness
