#include "proxy/data_plane/event_loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

namespace sidecar {

namespace {
constexpr std::uint32_t wake_descriptor = 0xffffffff;

time_point clock_now() { return std::chrono::steady_clock::now(); }
} // namespace

void event_loop::run(const std::function<void()>& after_events) {
    std::array<epoll_event, batch> events{};
    while (!stopped_) {
        const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), timeout_ms());
        now_ = clock_now();
        for (int i = 0; i < count; ++i) {
            const auto descriptor = static_cast<std::uint32_t>(events[i].data.u64);
            const auto generation = static_cast<std::uint32_t>(events[i].data.u64 >> 32);
            if (descriptor == wake_descriptor) {
                run_posted();
            } else if (const auto& at = slots_[descriptor]; at.target && at.generation == generation) {
                at.target->on_event(events[i].events);
            }
        }
        run_queued();
        if (now_ >= next_deadline_) sweep();
        after_events();
    }
}

event_loop::event_loop() : now_(clock_now()) {
    epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_ < 0) {
        const int error = errno;
        ::close(epoll_);
        throw std::system_error(error, std::generic_category(), "eventfd");
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = wake_descriptor;
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, wake_, &event);
}

event_loop::~event_loop() {
    ::close(wake_);
    ::close(epoll_);
}

void event_loop::post(std::function<void()> work) {
    {
        std::lock_guard lock(posted_mutex_);
        posted_.push_back(std::move(work));
    }
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(wake_, &one, sizeof one);
}

void event_loop::run_posted() {
    std::uint64_t count = 0;
    [[maybe_unused]] const auto n = ::read(wake_, &count, sizeof count);
    std::vector<std::function<void()>> work;
    {
        std::lock_guard lock(posted_mutex_);
        work.swap(posted_);
    }
    for (auto& each : work) each();
}

void event_loop::run_queued() {
    if (queued_.empty()) return;
    // Those queued meanwhile have their turn after the next round of events.
    auto turn = std::exchange(queued_, {});
    for (auto*& each : turn) {
        // A waiter that ended meanwhile took itself out of `queued_`, not out of `turn`: it is still queued only here.
        each->queued_ = false;
        each->resume(woken::by_event);
    }
}

bool event_loop::add(int descriptor, event_target& target) noexcept {
    return register_events(descriptor, target, EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

bool event_loop::add_listener(int descriptor, event_target& target) noexcept {
    return register_events(descriptor, target, EPOLLIN);
}

bool event_loop::register_events(int descriptor, event_target& target, std::uint32_t interest) noexcept {
    const auto index = static_cast<std::size_t>(descriptor);
    if (index >= slots_.size()) {
        try {
            slots_.resize(std::max<std::size_t>(64, index * 2));
        } catch (const std::bad_alloc&) {
            return false;
        }
    }
    auto& at = slots_[index];
    at.target = &target;
    ++at.generation;
    epoll_event event{};
    event.events = interest;
    event.data.u64 = static_cast<std::uint64_t>(at.generation) << 32 | static_cast<std::uint32_t>(descriptor);
    if (::epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) == 0) return true;
    at.target = nullptr;
    return false;
}

void event_loop::remove(int descriptor) noexcept {
    // Closing takes it out of the kernel's set: nobody else holds a duplicate.
    slots_[static_cast<std::size_t>(descriptor)].target = nullptr;
}

void event_loop::remove_registered(int descriptor) noexcept {
    remove(descriptor);
    ::epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr);
}

void event_loop::sweep() {
    next_deadline_ = time_point::max();
    for (auto next = waiters_.begin(); next != waiters_.end();) {
        auto& each = *next++;
        if (!each.suspended_ || each.queued_) continue;
        if (each.deadline_ <= now_)
            each.resume(woken::by_deadline); // may end it, and only it
        else
            next_deadline_ = std::min(next_deadline_, each.deadline_);
    }
    if (on_deadline) on_deadline();
    if (next_deadline_ != time_point::max()) next_deadline_ = std::max(next_deadline_, now_ + granularity);
}

int event_loop::timeout_ms() const noexcept {
    if (!queued_.empty() || stopped_) return 0;
    if (next_deadline_ == time_point::max()) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(next_deadline_ - now_).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

waiter::waiter(event_loop& loop) : loop_(loop) { loop_.waiters_.push_back(*this); }

waiter::~waiter() {
    if (queued_) std::erase(loop_.queued_, this);
}

void waiter::suspend(std::coroutine_handle<> caller, time_point deadline) noexcept {
    suspended_ = caller;
    deadline_ = deadline;
    loop_.call_at(deadline);
}

void waiter::queue(std::coroutine_handle<> caller) {
    suspended_ = caller;
    queued_ = true;
    loop_.queued_.push_back(this);
}

void waiter::resume(woken cause) {
    if (queued_) return; // its turn comes
    cause_ = cause;
    std::exchange(suspended_, nullptr).resume();
}

} // namespace sidecar
