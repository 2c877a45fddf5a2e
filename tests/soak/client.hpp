// A client of the soak: one exchange after the other, as their scripts say, and its judgement of what came back.
#pragma once

#include "tests/harness/wire.hpp"
#include "tests/soak/backend.hpp"
#include "tests/soak/script.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

namespace soak {

struct tally {
    std::atomic<std::uint64_t> exact{0}, refused{0}, cut{0}, aborted{0}, disturbed{0};
};

class client {
public:
    client(std::uint64_t seed, std::uint16_t port, const backend& api, tally& counts)
        : seed_(seed),
          port_(port),
          api_(api),
          counts_(counts) {}

    void run(std::atomic<std::uint64_t>& numbers, std::chrono::steady_clock::time_point until);

private:
    void exchange(const script&);
    std::string receive(const script&);
    void judge(const script&, const std::string& got, bool disturbed);

    std::uint64_t seed_;
    std::uint16_t port_;
    const backend& api_;
    tally& counts_;
    harness::wire connection_;
    harness::ending ended_ = harness::ending::none; // of the present exchange
};

} // namespace soak
