#include "tests/harness/status_endpoint.hpp"

#include <stdexcept>

namespace harness {

void status_endpoint::hold() {
    std::unique_lock lock(mutex_);
    held_ = true;
    released_ = polls_;
    await_polls(lock, polls_ + 1);
}

void status_endpoint::release_one() {
    std::unique_lock lock(mutex_);
    released_ = polls_;
    polled_.notify_all();
    await_polls(lock, polls_ + 1);
}

std::string status_endpoint::answer_poll() {
    std::unique_lock lock(mutex_);
    const auto number = ++polls_;
    polled_.notify_all();
    polled_.wait(lock, [&] { return !held_ || ending_ || number <= released_; });
    return answer_;
}

void status_endpoint::answer_from_now(std::string answer) {
    std::unique_lock lock(mutex_);
    if (!answer.empty()) answer_ = std::move(answer);
    held_ = false;
    polled_.notify_all();
    // The poll under way may have been answered with the old one; the next brings the new; the one after it shows
    // that it was taken.
    await_polls(lock, polls_ + 2);
}

void status_endpoint::await_polls(std::unique_lock<std::mutex>& lock, std::uint64_t enough) {
    if (!polled_.wait_for(lock, patience, [&] { return polls_ >= enough; }))
        throw std::runtime_error("status endpoint: waited in vain for a poll");
}

status_endpoint::release::~release() {
    const std::lock_guard lock(of.mutex_);
    of.ending_ = true;
    of.polled_.notify_all();
}

} // namespace harness
