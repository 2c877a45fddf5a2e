// One thread's epoll loop: descriptors are registered once, edge-triggered for both directions, so that a request
// costs no epoll_ctl; deadlines are kept in one coarse place, so that it costs no timer either.
// (DATAPLANE.md: 8 % less than Asio's reactor, which tries a recv or rearms the descriptor at each wait.)
#pragma once

#include "sidecar/readiness.hpp"

#include <boost/intrusive/list.hpp>

#include <array>
#include <atomic>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <mutex>
#include <vector>

namespace sidecar {

// Told of what happens to descriptors it has registered.
class event_target {
public:
    virtual void on_event(std::uint32_t epoll_events) = 0;

protected:
    ~event_target() = default;
};

class event_loop;

enum class woken : std::uint8_t { by_event, by_deadline };

// Something that waits for the next event of any of its descriptors, or for a deadline: one coroutine at a time.
class waiter : public boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
public:
    explicit waiter(event_loop& loop);
    waiter(const waiter&) = delete;
    waiter& operator=(const waiter&) = delete;

    // Resumes the coroutine, if it is waiting. (An event while it runs is seen in the connections' flags.)
    void wake() {
        if (suspended_) resume(woken::by_event);
    }

    // The same, but after this round of events: for those who are called from another's coroutine.
    void wake_later() {
        if (suspended_ && !queued_) queue(suspended_);
    }

    // co_await wait_until(deadline): woken by wake() or at the deadline, within the loop's granularity (50 ms late).
    auto wait_until(time_point deadline) {
        struct awaitable {
            waiter& self;
            time_point until;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<> caller) noexcept { self.suspend(caller, until); }
            woken await_resume() const noexcept { return self.cause_; }
        };
        return awaitable{*this, deadline};
    }

    // co_await yield(): lets every other descriptor have its turn first.
    auto yield() {
        struct awaitable {
            waiter& self;
            bool await_ready() const noexcept { return false; }
            void await_suspend(std::coroutine_handle<> caller) { self.queue(caller); }
            void await_resume() const noexcept {}
        };
        return awaitable{*this};
    }

    event_loop& loop() const noexcept { return loop_; }

protected:
    ~waiter();

private:
    friend class event_loop;
    void suspend(std::coroutine_handle<> caller, time_point deadline) noexcept;
    void queue(std::coroutine_handle<> caller);
    void resume(woken cause);

    event_loop& loop_;
    std::coroutine_handle<> suspended_;
    time_point deadline_ = time_point::max();
    woken cause_ = woken::by_event;
    bool queued_ = false;
};

class event_loop {
public:
    event_loop(); // throws std::system_error
    ~event_loop();
    event_loop(const event_loop&) = delete;
    event_loop& operator=(const event_loop&) = delete;

    // Runs until `stop`; `after_events` is called after each round of events.
    void run(const std::function<void()>& after_events);
    void stop() noexcept { stopped_ = true; }

    // Any thread: runs it on the loop's.
    void post(std::function<void()> work);

    // When this round began. Coarse, and no system call.
    time_point now() const noexcept { return now_; }

    // Registers for EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP, edge-triggered. False if the kernel refuses (out of
    // memory or watches). A descriptor is removed before it is closed.
    [[nodiscard]] bool add(int descriptor, event_target&) noexcept;
    void remove(int descriptor) noexcept;
    // Takes a descriptor that stays open out again.
    void remove_registered(int descriptor) noexcept;
    // Level-triggered EPOLLIN: for listeners.
    [[nodiscard]] bool add_listener(int descriptor, event_target&) noexcept;

    // A function of the owner's, called at the first round after `at`; the nearest time counts, once.
    void call_at(time_point at) noexcept {
        if (at < next_deadline_) next_deadline_ = at;
    }
    std::function<void()> on_deadline; // called with each sweep

private:
    friend class waiter;

    // Registrations by descriptor; the generation tells an event of a closed descriptor from one of its successor.
    struct slot {
        event_target* target = nullptr;
        std::uint32_t generation = 0;
    };

    bool register_events(int descriptor, event_target&, std::uint32_t events) noexcept;
    void run_queued();
    void run_posted();
    void sweep();
    int timeout_ms() const noexcept;

    static constexpr std::size_t batch = 256;
    static constexpr std::chrono::milliseconds granularity{50};

    int epoll_ = -1;
    int wake_ = -1;
    bool stopped_ = false;
    time_point now_;
    time_point next_deadline_ = time_point::max();
    std::vector<slot> slots_;
    std::vector<waiter*> queued_;
    boost::intrusive::list<waiter, boost::intrusive::constant_time_size<false>> waiters_;
    std::mutex posted_mutex_;
    std::vector<std::function<void()>> posted_;
};

} // namespace sidecar
