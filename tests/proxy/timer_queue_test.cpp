#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

#include <memory>
#include <vector>

namespace timer_queue_test {

using namespace sidecar;
using namespace sidecar::testing;
using namespace std::chrono_literals;

// Notes why each wait was over.
task<> wait_once(waiter& at, time_point deadline, std::vector<wake>& ended) {
    const auto why = co_await at.until(deadline);
    ended.push_back(why);
}

task<> wait_again_and_again(waiter& at, timer_queue& timers, std::vector<wake>& ended) {
    for (int i = 0; i < 3; ++i) {
        const auto why = co_await at.until(timers.now() + 100ms);
        ended.push_back(why);
    }
}

task<> take_turns(waiter& at, std::vector<int>& order, int number) {
    for (int i = 0; i < 3; ++i) {
        order.push_back(number);
        co_await at.yield();
    }
}

struct fixture {
    event_loop loop;
    waiter first{loop.timers}, second{loop.timers};
    std::vector<wake> ended;
};

TEST_CASE_FIXTURE(fixture, "a wait ends at its deadline, and not before") {
    auto waits = wait_once(first, loop.timers.now() + 10s, ended);
    waits.start();
    loop.timers.skip(9'900ms);
    CHECK(ended.empty());
    CHECK(first.waiting());
    loop.timers.skip(200ms);
    CHECK(ended == std::vector{wake::deadline});
    CHECK(waits.done());
}

TEST_CASE_FIXTURE(fixture, "the clock itself brings a deadline, and not before its time") {
    const auto deadline = loop.timers.now() + 20ms; // counted from when the queue last looked at the clock
    auto waits = wait_once(first, deadline, ended);
    waits.start();
    const auto give_up = std::chrono::steady_clock::now() + 30s;
    while (ended.empty() && std::chrono::steady_clock::now() < give_up) {
        loop.context.restart();
        loop.context.run_one_for(1s);
    }
    CHECK(ended == std::vector{wake::deadline});
    CHECK(std::chrono::steady_clock::now() >= deadline);
}

TEST_CASE_FIXTURE(fixture, "an earlier deadline behind a later one is met in its time") {
    auto late = wait_once(first, loop.timers.now() + 100s, ended);
    auto early = wait_once(second, loop.timers.now() + 1s, ended);
    late.start();
    early.start();
    loop.timers.skip(2s);
    CHECK(early.done());
    CHECK_FALSE(late.done());
}

TEST_CASE_FIXTURE(fixture, "who goes on within a round of deadlines may wait again") {
    auto waits = wait_again_and_again(first, loop.timers, ended);
    waits.start();
    for (int i = 0; i < 3; ++i) loop.timers.skip(200ms);
    CHECK(ended.size() == 3);
    CHECK(waits.done());
}

TEST_CASE_FIXTURE(fixture, "resume_later goes on behind what is being done now, and only once") {
    auto waits = wait_once(first, loop.timers.now() + 10s, ended);
    waits.start();
    first.resume_later(wake::cancelled);
    first.resume_later(wake::ready);
    first.resume(wake::ready); // it is on its way already
    CHECK(ended.empty());
    loop.turn();
    CHECK(ended == std::vector{wake::cancelled});
    loop.timers.skip(20s);
    CHECK(ended.size() == 1);
}

TEST_CASE_FIXTURE(fixture, "those who yield take turns") {
    std::vector<int> order;
    auto one = take_turns(first, order, 1), two = take_turns(second, order, 2);
    one.start();
    two.start();
    loop.turn();
    CHECK(order == std::vector{1, 2, 1, 2, 1, 2});
}

TEST_CASE_FIXTURE(fixture, "a wait that is destroyed is forgotten") {
    auto gone = std::make_unique<waiter>(loop.timers);
    {
        auto waits = wait_once(*gone, loop.timers.now() + 1s, ended);
        waits.start();
        SUBCASE("while it waits") {}
        SUBCASE("while it is on its way") { gone->resume_later(wake::ready); }
        gone.reset();
        loop.turn();
        loop.timers.skip(2s);
    }
    CHECK(ended.empty());
}

TEST_CASE_FIXTURE(fixture, "a deadline can be changed while it is waited for") {
    auto waits = wait_once(first, loop.timers.now() + 10s, ended);
    waits.start();
    first.change_deadline(loop.timers.now() + 1s);
    loop.timers.skip(1'100ms);
    CHECK(ended == std::vector{wake::deadline});
}

} // namespace timer_queue_test
