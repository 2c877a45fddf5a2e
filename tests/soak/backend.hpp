// The backend of the soak: a thread for each connection; it does what the exchange's script says, and complains of
// requests that are not the script's. Killed and restarted by closing everything at once.
#pragma once

#include "tests/harness/listener.hpp"
#include "tests/harness/wire.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <list>
#include <string>
#include <thread>

namespace soak {

class backend {
public:
    explicit backend(std::uint64_t seed);
    ~backend();
    backend(const backend&) = delete;
    backend& operator=(const backend&) = delete;

    std::uint16_t port() const { return listener_.port(); }

    // As a container that is killed and comes back.
    void restart();
    // Down, or only just back.
    bool is_disturbed_at(std::chrono::steady_clock::time_point) const;

private:
    void accept();
    void serve(harness::wire& client, std::uint64_t born);
    bool is_killed_by(harness::wire& client, const std::string& in);
    bool answer(harness::wire& client, const std::string& request);

    std::uint64_t seed_;
    harness::listener listener_{0, 512};
    struct one_connection {
        std::thread thread;
        std::atomic<bool> ended{false};
    };
    std::list<one_connection> serving_; // the acceptor's
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<bool> restarting_{false};
    std::atomic<std::chrono::steady_clock::rep> disturbed_until_{0};
    std::atomic<bool> ending_{false};
    std::thread acceptor_;
};

} // namespace soak
