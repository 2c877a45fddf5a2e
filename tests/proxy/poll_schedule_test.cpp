// When polls are sent, in time that the test makes.
#include "proxy/control_plane/poll_schedule.hpp"

#include <doctest/doctest.h>

namespace poll_schedule_test {

using namespace sidecar;
using namespace std::chrono_literals;

constexpr double no_jitter = 0.5; // the middle
const time_point start{1000s};

struct polled {
    poll_schedule schedule;
    time_point now = start;

    explicit polled(const status_config& values = {}) : schedule(values) {}

    // One poll that takes so long; the time until the next is due.
    std::chrono::nanoseconds poll(poll_end end, milliseconds took = 0ms, bool held = false, bool applied = false,
                                  double chance = no_jitter) {
        const auto sent = now;
        schedule.sent(now, held);
        now += took;
        schedule.ended(end, now, applied, chance);
        return schedule.due() - sent;
    }
};

TEST_CASE("the first poll is due at once, the next ones an interval after the last was sent") {
    polled p;
    CHECK(p.schedule.due() <= start);
    CHECK(p.poll(poll_end::changed) == 1s);
    p.now = p.schedule.due();
    CHECK(p.poll(poll_end::not_modified, 300ms) == 1s);
}

TEST_CASE("a backend that takes longer than the interval gets a pause all the same") {
    polled p;
    CHECK(p.poll(poll_end::changed, 3s) == 3250ms);
}

TEST_CASE("jitter goes either way") {
    polled p;
    CHECK(p.poll(poll_end::changed, 0ms, false, false, 0.0) == 900ms);
    CHECK(p.poll(poll_end::changed, 0ms, false, false, 1.0) == 1100ms);
}

TEST_CASE("failures back off, doubling, up to the cap; a success ends that") {
    polled p;
    for (const auto expected : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
        CHECK(p.poll(poll_end::failed) == expected);
        p.now = p.schedule.due();
    }
    CHECK(p.schedule.failures() == 7);
    CHECK(p.poll(poll_end::changed) == 1s);
    CHECK(p.schedule.failures() == 0);
}

TEST_CASE("a cap below the interval is the interval") {
    status_config values;
    values.backoff_max = 100ms;
    polled p(values);
    CHECK(p.poll(poll_end::failed) == 1s);
    CHECK(p.poll(poll_end::failed) == 1s);
}

TEST_CASE("the backend is asked to hold only what can be held: with an entity tag, and for less than max_age") {
    poll_schedule defaults{status_config{}};
    CHECK(defaults.hold(false) == 0s);
    CHECK(defaults.hold(true) == 20s);
    status_config values;
    values.max_age = 3s;
    CHECK(poll_schedule(values).hold(true) == 2s);
    values.max_age = 1s;
    CHECK(poll_schedule(values).hold(true) == 0s);
    values = {};
    values.wait = 0ms;
    CHECK(poll_schedule(values).hold(true) == 0s);
}

TEST_CASE("after a held poll the next one goes at once") {
    polled p;
    CHECK(p.poll(poll_end::not_modified, 20s, true, true) == 20s);
    CHECK(p.schedule.backend_holds());
    SUBCASE("whether the backend says that it held or not") {
        CHECK(p.poll(poll_end::not_modified, 20s, true, false) == 20s);
    }
    SUBCASE("but never in a busy loop: a backend that always has news is asked four times an interval") {
        CHECK(p.poll(poll_end::changed, 0ms, true, true) == 250ms);
    }
}

TEST_CASE("a backend that answers a held poll at once with nothing new does not hold, whatever it says") {
    polled p;
    CHECK(p.poll(poll_end::not_modified, 1ms, true, false) == 1s);
    CHECK(p.poll(poll_end::not_modified, 1ms, true, true) == 1s);
    CHECK_FALSE(p.schedule.backend_holds());
}

TEST_CASE("a backend that is slow and does not say that it held gets a pause") {
    polled p;
    CHECK(p.poll(poll_end::not_modified, 3s, true, false) == 3250ms);
    CHECK_FALSE(p.schedule.backend_holds());
}

TEST_CASE("a hold that fails is not asked for again until a plain poll is good, and then for half as long") {
    polled p;
    p.poll(poll_end::failed, 15s, true);
    CHECK(p.schedule.hold(true) == 0s);
    p.poll(poll_end::changed);
    CHECK(p.schedule.hold(true) == 10s);
    for (int i = 0; i < 10; ++i) {
        p.poll(poll_end::failed, 100ms, true);
        p.poll(poll_end::changed);
    }
    CHECK(p.schedule.hold(true) == 1s); // always worth a try
    for (int i = 0; i < 1000; ++i) p.poll(poll_end::not_modified, 1s, true, true);
    CHECK(p.schedule.hold(true) == 20s);
}

TEST_CASE("a lesson wants a poll soon: a quarter of an interval after the last one was sent") {
    polled p;
    p.poll(poll_end::changed);
    p.now += 100ms;
    p.schedule.learned(p.now);
    CHECK(p.schedule.due() == start + 250ms);
    p.now = start + 700ms; // long past: at once
    CHECK(p.schedule.due() <= p.now);
    p.poll(poll_end::changed);
    CHECK(p.schedule.due() == start + 1700ms);
}

TEST_CASE("a lesson during a poll wants another one after it") {
    polled p;
    p.schedule.sent(start, false);
    p.schedule.learned(start + 10ms);
    CHECK_FALSE(p.schedule.cancel_held_at());
    p.schedule.ended(poll_end::changed, start + 20ms, false, no_jitter);
    CHECK(p.schedule.due() == start + 250ms);
}

TEST_CASE("a held poll that a lesson has overtaken is cancelled, and the next one is not held") {
    polled p;
    p.poll(poll_end::changed);
    p.now += 1s;
    p.schedule.sent(p.now, true);
    CHECK_FALSE(p.schedule.cancel_held_at());
    p.schedule.learned(p.now + 10ms);
    CHECK(p.schedule.cancel_held_at() == p.now + 250ms);
    p.schedule.ended(poll_end::cancelled, p.now + 250ms, false, no_jitter);
    CHECK(p.schedule.due() == p.now + 250ms);
    CHECK(p.schedule.failures() == 0);
    CHECK(p.schedule.hold(true) == 0s);
    p.now += 250ms;
    p.poll(poll_end::not_modified, 5ms);
    CHECK(p.schedule.hold(true) == 20s);
    CHECK_FALSE(p.schedule.cancel_held_at());
}

TEST_CASE("lessons do not hammer a status endpoint that fails") {
    polled p;
    for (int i = 0; i < 5; ++i) p.poll(poll_end::failed);
    p.schedule.learned(p.now + 1ms);
    CHECK(p.schedule.due() == p.now + 1s);
}

} // namespace poll_schedule_test
