#include "proxy/control_plane/poll_schedule.hpp"

#include <algorithm>

namespace sidecar {
namespace {

using std::chrono::duration_cast;

// Then a longer hold is tried again.
constexpr unsigned holds_until_longer = 100;

std::chrono::nanoseconds with_jitter(milliseconds span, double jitter, double chance) {
    using std::chrono::nanoseconds;
    return nanoseconds(static_cast<std::int64_t>(static_cast<double>(nanoseconds(span).count()) *
                                                 (1.0 + jitter * (2.0 * chance - 1.0))));
}

} // namespace

poll_schedule::poll_schedule(const status_config& values)
    : interval_(std::max(values.interval, milliseconds(1))),
      backoff_max_(std::max(values.backoff_max, interval_)),
      // A held poll must renew the snapshot while it is still fresh, with a timeout's room.
      hold_max_(duration_cast<std::chrono::seconds>(std::min(values.wait, values.max_age * 2 / 3))),
      hold_(hold_max_),
      jitter_(values.jitter) {}

void poll_schedule::sent(time_point now, bool asked_to_hold) {
    sent_at_ = now;
    under_way_ = true;
    held_ = asked_to_hold;
}

void poll_schedule::ended(poll_end end, time_point now, bool preference_applied, double chance) {
    under_way_ = false;
    const auto sent_at = sent_at_.value_or(now);
    if (end == poll_end::cancelled) {
        due_ = sent_at + spacing();
        return;
    }
    if (end == poll_end::failed) {
        ++failures_;
        if (held_) shorten_hold();
        due_ = now + with_jitter(backoff(), jitter_, chance);
        return;
    }
    failures_ = 0;
    if (lesson_at_ && *lesson_at_ < sent_at) lesson_at_.reset();
    if (held_) note_hold(end, now - sent_at, preference_applied);
    due_ = backend_holds_ ? std::max<time_point>(sent_at + with_jitter(spacing(), jitter_, chance), now)
                          : std::max<time_point>(sent_at + with_jitter(interval_, jitter_, chance), now + spacing());
}

// It was held if the backend says so, unless it came at once with nothing new; and if, without a word, it was long in
// coming, for half of the time asked: a slow backend is not to be asked without a pause.
void poll_schedule::note_hold(poll_end end, std::chrono::nanoseconds took, bool preference_applied) {
    const bool took_long = took >= interval_ && (preference_applied || took >= hold_ / 2);
    backend_holds_ = took_long || (preference_applied && end == poll_end::changed);
    if (took_long && ++holds_in_a_row_ >= holds_until_longer) {
        hold_ = std::min(hold_ * 2, hold_max_);
        holds_in_a_row_ = 0;
    }
}

// Something on the way may end long requests (Rack::Timeout after 15 s, say): then shorter ones must do.
void poll_schedule::shorten_hold() {
    hold_ = std::max(hold_ / 2, std::min(std::chrono::seconds(1), hold_max_));
    holds_in_a_row_ = 0;
}

void poll_schedule::learned(time_point now) { lesson_at_ = now; }

time_point poll_schedule::due() const noexcept {
    const auto planned = due_.value_or(time_point::min());
    if (!lesson_waits() || !sent_at_) return planned;
    return std::min<time_point>(planned, *sent_at_ + (failures_ == 0 ? spacing() : interval_));
}

std::optional<time_point> poll_schedule::cancel_held_at() const noexcept {
    if (!under_way_ || !held_ || !lesson_waits()) return std::nullopt;
    return *sent_at_ + spacing();
}

std::chrono::seconds poll_schedule::hold(bool etag_known) const noexcept {
    return etag_known && !lesson_at_ && failures_ == 0 ? hold_ : std::chrono::seconds(0);
}

milliseconds poll_schedule::backoff() const noexcept {
    auto span = interval_;
    for (unsigned i = 1; i < failures_ && span < backoff_max_; ++i) span *= 2;
    return std::min(span, backoff_max_);
}

} // namespace sidecar
