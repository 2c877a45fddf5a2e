#include "proxy/data_plane/readiness_set.hpp"

#include <boost/asio/bind_allocator.hpp>

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <span>

namespace sidecar {

namespace {

int make_epoll() {
    const int made = ::epoll_create1(EPOLL_CLOEXEC);
    if (made < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
    return made;
}

std::uint32_t descriptor_of(const epoll_event& event) noexcept { return static_cast<std::uint32_t>(event.data.u64); }

std::uint32_t generation_of(const epoll_event& event) noexcept {
    return static_cast<std::uint32_t>(event.data.u64 >> 32);
}

} // namespace

readiness_set::readiness_set(boost::asio::io_context& context, timer_queue& timers)
    : set_(context, make_epoll()),
      timers_(timers) {
    await_round();
}

void readiness_set::await_round() {
    set_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                    boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
                        if (!error) take_round();
                    }));
}

void readiness_set::take_round() {
    // Also when a member throws.
    struct at_the_end {
        readiness_set& set;
        ~at_the_end() { set.await_round(); }
    } const go_on{*this};
    std::array<epoll_event, events_max> events;
    // While much is going on, the next round follows at once; what Asio has to do waits no longer than a few of them.
    for (int round = 0; round < rounds_in_a_row; ++round) {
        looked_at_ = std::chrono::steady_clock::now();
        const int count = ::epoll_wait(set_.native_handle(), events.data(), events_max, 0);
        timers_.update_now();
        const std::span<epoll_event> came(events.data(), static_cast<std::size_t>(std::max(count, 0)));
        for (auto& each : came)
            if (slots_[descriptor_of(each)].rests) tell(each);
        saw_all_ = count >= 0 && count < events_max;
        if (saw_all_) ++looks_;
        for (auto& each : came) tell(each);
        if (count < 2 || timers_.turn_is_due()) return;
    }
}

void readiness_set::tell(epoll_event& event) {
    const auto at = slots_[descriptor_of(event)];
    const auto what = event.events;
    event.events = 0; // once
    if (what != 0 && at.target && at.generation == generation_of(event)) at.target->on_ready(what);
}

std::error_code readiness_set::add(int descriptor, member& target) noexcept {
    const auto index = static_cast<std::size_t>(descriptor);
    if (index >= slots_.size()) {
        try {
            slots_.resize(std::max<std::size_t>(64, index * 2));
        } catch (const std::bad_alloc&) {
            return std::make_error_code(std::errc::not_enough_memory);
        }
    }
    auto& at = slots_[index];
    at.target = &target;
    at.rests = false;
    ++at.generation;
    epoll_event event{};
    event.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.u64 = static_cast<std::uint64_t>(at.generation) << 32 | static_cast<std::uint32_t>(descriptor);
    if (::epoll_ctl(set_.native_handle(), EPOLL_CTL_ADD, descriptor, &event) == 0) return {};
    const int error = errno;
    at.target = nullptr;
    return {error, std::generic_category()};
}

void readiness_set::remove(int descriptor) noexcept { slots_[static_cast<std::size_t>(descriptor)].target = nullptr; }

void readiness_set::rest(int descriptor, bool rests) noexcept {
    slots_[static_cast<std::size_t>(descriptor)].rests = rests;
}

} // namespace sidecar
