// When to poll, and whether to ask the backend to hold the request: the arithmetic of status_poll. Pure: time and
// chance come in as arguments.
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/readiness.hpp"

#include <chrono>

namespace sidecar {

// How a poll ended, as far as the next one is concerned.
enum class poll_end : std::uint8_t { changed, not_modified, failed, cancelled };

class poll_schedule {
public:
    explicit poll_schedule(const status_config&);

    // `chance`: uniform in [0, 1), for the jitter: so that a fleet does not poll in step.
    void sent(time_point now, bool asked_to_hold);
    void ended(poll_end, time_point now, bool preference_applied, double chance);
    // A passing answer taught something: polls sent before it do not count, so the next one is wanted soon.
    void learned(time_point now);

    time_point due() const noexcept;                           // of the next poll
    std::optional<time_point> cancel_held_at() const noexcept; // a held poll that a lesson has overtaken
    std::chrono::seconds hold(bool etag_known) const noexcept; // to ask for; 0: do not ask
    unsigned failures() const noexcept { return failures_; }   // in a row
    bool backend_holds() const noexcept { return backend_holds_; }

private:
    milliseconds spacing() const noexcept { return interval_ / 4; }
    bool lesson_waits() const noexcept { return lesson_at_ && (!sent_at_ || *lesson_at_ >= *sent_at_); }
    milliseconds backoff() const noexcept;
    void note_hold(poll_end, std::chrono::nanoseconds took, bool preference_applied);
    void shorten_hold();

    milliseconds interval_;
    milliseconds backoff_max_;
    std::chrono::seconds hold_max_;
    std::chrono::seconds hold_; // what is asked for now
    double jitter_;

    std::optional<time_point> sent_at_;   // of the newest poll
    std::optional<time_point> lesson_at_; // of the newest lesson that no good poll has overtaken
    std::optional<time_point> due_;       // without regard to lessons; none: at once
    bool under_way_ = false;
    bool held_ = false;
    bool backend_holds_ = false;
    unsigned failures_ = 0;
    unsigned holds_in_a_row_ = 0;
};

} // namespace sidecar
