// The sockets on which clients are accepted: one for each worker, all on the same address (SO_REUSEPORT), so that the
// kernel deals the connections out and no worker waits for another.
#pragma once

#include "sidecar/config.hpp"

#include <cstdint>
#include <vector>

namespace sidecar {

class listeners {
public:
    // Binds and listens. Port 0: the kernel chooses, for all of them. Throws std::runtime_error with the address in
    // its words; also if another process listens there, which SO_REUSEPORT alone would not tell.
    listeners(const listen_config&, unsigned count);
    ~listeners(); // closes those not taken
    listeners(const listeners&) = delete;
    listeners& operator=(const listeners&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    int take(std::size_t index); // the caller's from then on

private:
    std::vector<int> sockets_;
    std::uint16_t port_ = 0;
};

} // namespace sidecar
