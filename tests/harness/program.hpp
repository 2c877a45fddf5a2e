// The program itself as a process of its own, for what can only be seen or limited from outside: memory, descriptors,
// and that it lives. It serves on a port that it chose, and ends with the scope.
#pragma once

#include "tests/harness/wire.hpp"

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace harness {

class program {
public:
    // `yaml`: its configuration, but for the listener, which is on loopback. Returns when it serves.
    explicit program(const std::string& yaml);
    ~program();
    program(const program&) = delete;
    program& operator=(const program&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    wire connect() const { return wire::connect(port_); }

    std::size_t resident_bytes() const; // 0: it has ended
    std::size_t data_bytes() const;     // that it may write to: what RLIMIT_DATA bounds
    std::size_t descriptors() const;
    milliseconds cpu_time() const;
    bool is_alive() const;
    // From now on.
    void limit(int resource, rlim_t most) const;
    // All its threads stand still until it goes on: what happens meanwhile comes to it at once.
    void halt() const;
    void go_on() const;
    // SIGTERM. The code: -1 if a signal ended it, or it does not end.
    struct ending {
        int code;
        std::string said; // its output since it serves
    };
    ending terminate();

private:
    std::size_t pages(int column) const;
    std::string read_until(std::string_view text);

    std::string folder_;
    pid_t id_ = -1;
    int output_ = -1;
    std::uint16_t port_ = 0;
};

} // namespace harness
