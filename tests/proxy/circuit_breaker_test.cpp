// When the backend counts as away, who tries then, and what the others wait for; without a socket.
#include "proxy/data_plane/circuit_breaker.hpp"
#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <optional>
#include <vector>

namespace circuit_breaker_test {

using namespace sidecar;
using namespace sidecar::testing;
using namespace std::chrono_literals;

constexpr auto retry = 1s;

struct fixture {
    event_loop loop;
    circuit_breaker breaker{loop.timers};

    time_point now() { return loop.timers.now(); }
    // What one request does that finds nobody: it tries until `retry` is over.
    void try_in_vain() {
        const auto began = now();
        for (auto tried = 0ms; tried <= retry; tried += circuit_breaker::pause_max) {
            breaker.failed(began, retry);
            loop.timers.skip(circuit_breaker::pause_max);
        }
    }
};

// One request that waits for the probe.
struct waiting {
    explicit waiting(fixture& in) : self(in.loop.timers), life(wait(in)) { life.start(); }
    task<> wait(fixture& in) { may_try = co_await in.breaker.wait_for_probe(self, retry); }

    waiter self;
    std::optional<bool> may_try;
    task<> life;
};

TEST_CASE_FIXTURE(fixture, "it is open when tries have failed for as long as one request tries, and no sooner") {
    CHECK_FALSE(breaker.is_open(retry));
    const auto began = now();
    for (auto tried = 0ms; tried < retry; tried += 100ms) {
        breaker.failed(began, retry);
        CHECK_FALSE(breaker.is_open(retry));
        loop.timers.skip(100ms);
    }
    breaker.failed(began, retry);
    loop.timers.skip(1ms);
    CHECK(breaker.is_open(retry));
}

TEST_CASE_FIXTURE(fixture, "one failed try, however long ago, opens nothing") {
    breaker.failed(now(), retry);
    for (const auto later : {1ms, 500ms, 600ms, 3'600'000ms}) {
        loop.timers.skip(later);
        CHECK_FALSE(breaker.is_open(retry));
    }
    breaker.failed(now(), retry);
    CHECK_FALSE(breaker.is_open(retry));
}

TEST_CASE_FIXTURE(fixture, "a success closes it, time lets it be forgotten, another backend begins anew") {
    try_in_vain();
    REQUIRE(breaker.is_open(retry));
    SUBCASE("a success") { breaker.succeeded(); }
    SUBCASE("time") { loop.timers.skip(retry + 1ms); }
    SUBCASE("another backend") { breaker.reset(); }
    CHECK_FALSE(breaker.is_open(retry));
    breaker.failed(now(), retry);
    CHECK_FALSE(breaker.is_open(retry));
}

TEST_CASE_FIXTURE(fixture, "who waits may try when the probe succeeds, and not when it fails") {
    try_in_vain();
    auto probe = std::make_unique<circuit_breaker::trying>(breaker, breaker.is_open(retry));
    CHECK(probe->is_probe());
    CHECK(breaker.is_probed());
    waiting one(*this), other(*this);
    loop.turn();
    CHECK_FALSE(one.may_try.has_value());
    bool found = false;
    SUBCASE("it succeeds") {
        found = true;
        breaker.succeeded();
    }
    SUBCASE("it fails") {
        breaker.failed(now(), retry);
        probe->failed();
    }
    probe.reset();
    loop.turn();
    CHECK_FALSE(breaker.is_probed());
    CHECK(one.may_try == found);
    CHECK(other.may_try == found);
}

TEST_CASE_FIXTURE(fixture, "a probe whose client has gone says nothing: who waits may try") {
    try_in_vain();
    auto probe = std::make_unique<circuit_breaker::trying>(breaker, true);
    waiting one(*this);
    probe.reset();
    loop.turn();
    CHECK(one.may_try == true);
}

TEST_CASE_FIXTURE(fixture, "a probe that takes long is not waited for") {
    try_in_vain();
    const circuit_breaker::trying probe(breaker, true);
    waiting one(*this);
    loop.timers.skip(50ms);
    loop.turn();
    CHECK_FALSE(one.may_try.has_value());
    loop.timers.skip(60ms);
    loop.turn();
    CHECK(one.may_try == false);
}

TEST_CASE_FIXTURE(fixture, "who waits and is cancelled, or destroyed, is out of it") {
    try_in_vain();
    auto probe = std::make_unique<circuit_breaker::trying>(breaker, true);
    waiting cancelled(*this);
    auto destroyed = std::make_unique<waiting>(*this);
    cancelled.self.resume_later(wake::cancelled);
    destroyed.reset();
    loop.turn();
    CHECK(cancelled.may_try == true); // its stream knows why
    probe.reset();                    // touches nobody
    loop.turn();
}

TEST_CASE_FIXTURE(fixture, "a probe of before a reset ends nothing, and its failure is nobody's") {
    try_in_vain();
    auto old = std::make_unique<circuit_breaker::trying>(breaker, true);
    waiting of_old(*this);
    breaker.reset();
    loop.turn();
    CHECK(of_old.may_try == true);
    try_in_vain();
    auto fresh = std::make_unique<circuit_breaker::trying>(breaker, true);
    waiting of_fresh(*this);
    old->failed();
    old.reset();
    loop.turn();
    CHECK(breaker.is_probed());
    CHECK_FALSE(of_fresh.may_try.has_value());
    fresh->failed();
    fresh.reset();
    loop.turn();
    CHECK(of_fresh.may_try == false);
}

TEST_CASE_FIXTURE(fixture, "one that is no probe neither holds others up nor lets them go") {
    auto one = std::make_unique<circuit_breaker::trying>(breaker, false);
    CHECK_FALSE(one->is_probe());
    CHECK_FALSE(breaker.is_probed());
    try_in_vain();
    const circuit_breaker::trying probe(breaker, true);
    waiting other(*this);
    one->failed();
    one.reset();
    loop.turn();
    CHECK_FALSE(other.may_try.has_value());
    CHECK(breaker.is_probed());
}

} // namespace circuit_breaker_test
