// The program, serving on a port that it chose, until the scope ends.
#pragma once

#include "tests/harness/process.hpp"
#include "tests/harness/wire.hpp"

#include <cstdint>
#include <string>

namespace harness {

class program : folder, public process {
public:
    // `yaml`: its configuration, but for the listener, which is on loopback. Returns when it serves.
    explicit program(const std::string& yaml);

    std::uint16_t port() const noexcept { return port_; }
    wire connect() const { return wire::connect(port_); }

private:
    std::uint16_t port_ = 0;
};

// A configuration: one worker in front of this backend, no admin listener, and a status endpoint that is not there.
std::string in_front_of(std::uint16_t backend, std::uint16_t no_status);

} // namespace harness
