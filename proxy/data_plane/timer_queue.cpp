#include "proxy/data_plane/timer_queue.hpp"

#include <boost/asio/post.hpp>

#include <algorithm>
#include <new>

namespace sidecar {

timer_queue::timer_queue(boost::asio::io_context& context) : context_(context), timer_(context) { update_now(); }

void timer_queue::skip(std::chrono::milliseconds by) {
    skipped_ += by;
    update_now();
    run_due();
}

void timer_queue::wake_by(time_point at) noexcept {
    if (at >= timer_at_) return;
    timer_at_ = at;
    try {
        timer_.expires_at(at - skipped_);
        timer_.async_wait([this](const boost::system::error_code& error) {
            if (error) return; // set anew
            update_now();
            run_due();
        });
    } catch (const std::bad_alloc&) {
        timer_at_ = time_point::max();
        out_of_memory_ = true;
    }
}

void timer_queue::run_due() {
    // Those resumed may begin new waits, at the list's end, and may end others: so the due ones are set apart first.
    waiters due;
    auto next = time_point::max();
    for (auto at = suspended_.begin(); at != suspended_.end();) {
        auto& each = *at++;
        if (each.deadline_ > now_) {
            next = std::min(next, each.deadline_);
            continue;
        }
        each.unlink();
        due.push_back(each);
    }
    timer_at_ = time_point::max();
    if (next != time_point::max()) wake_by(std::max(next, now_ + granularity));
    while (!due.empty()) due.front().resume(wake::deadline);
}

void timer_queue::queue(waiter& one) noexcept {
    queued_.push_back(one);
    if (std::exchange(turn_posted_, true)) return;
    try {
        boost::asio::post(context_, [this] { run_queued(); });
    } catch (const std::bad_alloc&) {
        turn_posted_ = false;
        out_of_memory_ = true;
    }
}

void timer_queue::revive() noexcept {
    if (!std::exchange(out_of_memory_, false)) return;
    update_now();
    if (!turn_posted_) run_queued();
    run_due();
}

void timer_queue::run_queued() {
    turn_posted_ = false;
    update_now();
    // Those queued meanwhile have their turn after the next round of events.
    waiters turn;
    turn.swap(queued_);
    while (!turn.empty()) {
        auto& each = turn.front();
        each.queued_ = false;
        each.resume(each.cause_);
    }
}

void waiter::suspend(std::coroutine_handle<> caller, time_point deadline) noexcept {
    suspended_ = caller;
    deadline_ = deadline;
    timers_.suspended_.push_back(*this);
    timers_.wake_by(deadline);
}

void waiter::suspend_for_a_turn(std::coroutine_handle<> caller) noexcept {
    suspended_ = caller;
    cause_ = wake::ready;
    queued_ = true;
    timers_.queue(*this);
}

void waiter::resume_later(wake cause) noexcept {
    if (!suspended_ || queued_) return;
    unlink();
    cause_ = cause;
    queued_ = true;
    timers_.queue(*this);
}

void waiter::change_deadline(time_point deadline) noexcept {
    deadline_ = deadline;
    if (suspended_ && !queued_) timers_.wake_by(deadline);
}

} // namespace sidecar
