#include "proxy/control_plane/history.hpp"

#include "proxy/control_plane/wording.hpp"

#include <algorithm>
#include <cmath>

namespace sidecar {
namespace {

using namespace std::chrono_literals;

constexpr auto minute = 60s;
constexpr auto rule_look_every = 10s;
constexpr auto lull = 15s; // without a request: what was before says nothing of the backend any more

float as_float(std::optional<double> value) {
    if (!value) return -1;
    return static_cast<float>(std::isinf(*value) ? histogram::bounds.back() : *value);
}

// Waited in vain.
std::uint64_t gave_up(const tally& seen) {
    return seen.given_up + seen.of(failure_reason::response_timeout) + seen.of(failure_reason::no_response);
}

// A rule that took another's place begins at nought: then all it has is new.
std::uint64_t rise(std::uint64_t from, std::uint64_t to) { return to >= from ? to - from : to; }

rule_sums between(const rule_sums& later, const rule_sums& earlier) {
    rule_sums came = later;
    for (std::size_t kind = 0; kind < came.requests.size(); ++kind)
        for (std::size_t code = 0; code < came.requests[kind].size(); ++code)
            came.requests[kind][code] = rise(earlier.requests[kind][code], later.requests[kind][code]);
    came.duration.count = 0;
    for (std::size_t i = 0; i < came.duration.buckets.size(); ++i) {
        came.duration.buckets[i] = rise(earlier.duration.buckets[i], later.duration.buckets[i]);
        came.duration.count += came.duration.buckets[i];
    }
    return came;
}

} // namespace

void history::add(const tally& now, std::vector<rule_sums> rules, std::uint64_t not_ready, time_point at) {
    if (!begun_) {
        begun_ = true;
        bar_begin_ = {at, now};
        last_response_at_ = at;
    }
    if (!looks_.empty()) note_silence(looks_.back().seen, now, at);
    looks_.push_back({at, now});
    while (looks_.size() > 1 && at - looks_[1].at >= minute) looks_.pop_front();

    // The last is replaced until it is old enough to stay.
    if (rule_looks_.size() > 1 && rule_looks_.back().at - rule_looks_[rule_looks_.size() - 2].at < rule_look_every)
        rule_looks_.pop_back();
    rule_looks_.push_back({at, std::move(rules)});
    while (rule_looks_.size() > 2 && at - rule_looks_[1].at >= minute) rule_looks_.pop_front();

    if (at - bar_begin_.at >= bar_span) end_bar(now, not_ready, at);
}

// Nobody's waiting is no silence of the backend, unless who waited has given up; and that not for ever.
void history::note_silence(const tally& before, const tally& now, time_point at) {
    const bool responds = now.begun != before.begun;
    const bool went = gave_up(now) != gave_up(before);
    if (now.awaited != 0 || went) asked_at_ = at;
    in_vain_ = !responds && (went || (in_vain_ && at - asked_at_ < lull));
    if (responds || (now.awaited == 0 && !in_vain_)) last_response_at_ = at;
}

void history::end_bar(const tally& now, std::uint64_t not_ready, time_point at) {
    const auto came = now - bar_begin_.seen;
    const auto of = [&came](std::size_t code) { return came.responses[code]; };
    const auto small = [](std::uint64_t n) {
        return static_cast<std::uint32_t>(std::min<std::uint64_t>(n, UINT32_MAX));
    };
    bar done;
    done.end = at;
    done.seconds = static_cast<float>(seconds_between(bar_begin_.at, at));
    done.good = small(of(1) + of(2) + of(3));
    done.sent_away = small(std::min(came.sent_away, of(4)));
    done.client_errors = small(of(4)) - done.sent_away;
    done.failed = small(came.failed());
    done.median = as_float(quantile(came.durations, 0.5));
    done.slowest = as_float(quantile(came.durations, 0.99));
    done.not_ready = small(not_ready);
    bars_.push_back(done);
    if (bars_.size() > bars_max) bars_.pop_front();
    bar_begin_ = {at, now};
}

void history::note(event_kind kind, std::string text, std::string label, time_point at) {
    events_.push_back({std::chrono::system_clock::now(), at, kind, std::move(text), std::move(label)});
    if (events_.size() > events_max) events_.pop_front();
}

history::window history::last(std::chrono::seconds span) const {
    if (looks_.empty()) return {};
    const auto& now = looks_.back();
    // Looks come about a second apart: half of that more or less is meant.
    auto from =
        std::find_if(looks_.rbegin(), looks_.rend(), [&](const look& one) { return now.at - one.at >= span - 500ms; });
    const auto& earlier = from == looks_.rend() ? looks_.front() : *from;
    return {now.seen - earlier.seen, seconds_between(earlier.at, now.at)};
}

history::window history::last_requests(std::uint64_t least) const {
    for (const auto span : {5s, 10s, 20s, 40s})
        if (auto found = last(span); found.came.requests() >= least) return found;
    return last(minute);
}

std::pair<rule_sums, double> history::rule_minute(std::size_t place) const {
    if (rule_looks_.size() < 2) return {};
    const auto& from = rule_looks_.front();
    const auto& to = rule_looks_.back();
    if (place >= from.seen.size() || place >= to.seen.size()) return {};
    return {between(to.seen[place], from.seen[place]), seconds_between(from.at, to.at)};
}

std::uint64_t history::pending_least(std::chrono::seconds span) const {
    if (looks_.empty() || looks_.back().at - looks_.front().at < span) return 0;
    std::uint64_t least = UINT64_MAX;
    for (auto each = looks_.rbegin(); each != looks_.rend() && looks_.back().at - each->at <= span; ++each)
        least = std::min(least, each->seen.pending);
    return least;
}

} // namespace sidecar
