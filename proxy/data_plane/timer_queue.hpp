// What waits on one worker's thread: suspended coroutines, each with a deadline, on Asio's io_context. All deadlines
// share one steady_timer, which is set for the earliest, so that a wait costs a link in a list and no timer of its own.
// One thread.
#pragma once

#include "proxy/data_plane/handler_memory.hpp"
#include "sidecar/readiness.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/intrusive/list.hpp>

#include <chrono>
#include <coroutine>
#include <cstdint>
#include <utility>

namespace sidecar {

class timer_queue;

// Why a wait is over.
enum class wake : std::uint8_t {
    ready,     // what was waited for may be there
    deadline,  // it did not come in time
    cancelled, // somebody else has ended the wait: look at what has happened
};

// A place where at most one coroutine waits. Destroying it while one does forgets the wait.
class waiter : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    explicit waiter(timer_queue& timers) noexcept : timers_(timers) {}
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    // co_await until(deadline) -> wake. The deadline is met within timer_queue::granularity.
    auto until(time_point deadline) noexcept {
        struct awaitable {
            waiter& self;
            time_point at;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<> caller) noexcept { self.suspend(caller, at); }
            wake await_resume() const noexcept { return self.cause_; }
        };
        return awaitable{*this, deadline};
    }
    // co_await yield(): every other one that can go on has its turn first.
    auto yield() noexcept {
        struct awaitable {
            waiter& self;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<> caller) noexcept { self.suspend_for_a_turn(caller); }
            void await_resume() const noexcept {}
        };
        return awaitable{*this};
    }

    // The same for other awaitables: goes on with `cause()`.
    void suspend(std::coroutine_handle<> caller, time_point deadline) noexcept;
    wake cause() const noexcept { return cause_; }

    bool waiting() const noexcept { return static_cast<bool>(suspended_); }
    // Goes on at once, if it waits: only from the loop, never from within another coroutine.
    void resume(wake cause) {
        if (!suspended_ || queued_) return;
        unlink();
        cause_ = cause;
        std::exchange(suspended_, nullptr).resume();
    }
    // Goes on, if it waits, after what is being done now.
    void resume_later(wake cause) noexcept;
    // Of a wait under way.
    void change_deadline(time_point) noexcept;

private:
    friend class timer_queue;
    void suspend_for_a_turn(std::coroutine_handle<> caller) noexcept;

    timer_queue& timers_;
    std::coroutine_handle<> suspended_;
    time_point deadline_ = time_point::max();
    wake cause_ = wake::ready;
    bool queued_ = false;
};

class timer_queue {
public:
    explicit timer_queue(boost::asio::io_context&);
    timer_queue(const timer_queue&) = delete;
    timer_queue& operator=(const timer_queue&) = delete;

    // When the present round of events began: monotonic, coarse, and no system call.
    time_point now() const noexcept { return now_; }
    // To be called where a round of events begins.
    void update_now() noexcept { now_ = std::chrono::steady_clock::now() + skipped_; }
    // Whether somebody waits for its turn (waiter::yield, waiter::resume_later).
    bool turn_is_due() const noexcept { return turn_posted_; }
    // Tests: the clock jumps, and what is due by then goes on.
    void skip(std::chrono::milliseconds);

    static constexpr std::chrono::milliseconds granularity{50};

private:
    friend class waiter;
    using waiters = boost::intrusive::list<waiter, boost::intrusive::constant_time_size<false>>;

    void wake_by(time_point) noexcept;
    void run_due();
    void queue(waiter&) noexcept;
    void run_queued();

    boost::asio::io_context& context_;
    handler_memory memory_;
    boost::asio::steady_timer timer_;
    time_point timer_at_ = time_point::max();
    time_point now_;
    std::chrono::milliseconds skipped_{0};
    waiters suspended_;
    waiters queued_; // for their turn
    bool turn_posted_ = false;
};

} // namespace sidecar
