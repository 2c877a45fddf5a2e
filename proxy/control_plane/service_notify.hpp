// What a service manager is told (sd_notify(3), Type=notify): one datagram for each change, to the socket that it has
// put into NOTIFY_SOCKET. The protocol is lines of text, so no library of its is needed. Control thread.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <system_error>

namespace sidecar {

class service_notify {
public:
    service_notify() = default;                  // nobody is told anything
    explicit service_notify(std::string socket); // a path, or "@name" in the abstract namespace

    // READY also ends RELOADING, whether the new configuration was taken or not. `status` is one line for people.
    std::error_code ready(std::string_view status) const;
    // `now` since boot: the manager takes a READY from before it for an old one.
    std::error_code reloading(std::chrono::nanoseconds now) const;
    std::error_code stopping(std::string_view status) const;

private:
    std::error_code send(std::string_view text) const;

    std::string socket_;
};

// CLOCK_MONOTONIC, which is what the protocol's MONOTONIC_USEC counts.
std::chrono::nanoseconds since_boot();

} // namespace sidecar
