#include "proxy/control_plane/tally.hpp"

#include <algorithm>
#include <numeric>

namespace sidecar {
namespace {

constexpr std::size_t server_error = 5;

void add_rules(tally& to, const worker_metrics& of) {
    for (const auto& row : of.rules) {
        for (std::size_t kind = 0; kind < enum_size<action_kind>; ++kind) {
            for (std::size_t code = 0; code < worker_metrics::codes; ++code)
                to.responses[code] += row.requests[kind][code].get();
            const bool ours = static_cast<action_kind>(kind) == action_kind::error;
            (ours ? to.own_errors : to.backend_errors) += row.requests[kind][server_error].get();
        }
        to.durations.add(row.duration);
    }
}

void add_failures(tally& to, const worker_metrics& of) {
    constexpr auto codes = failure_counters::codes.size();
    for (std::size_t i = 0; i < enum_size<failure_reason>; ++i) {
        const auto why = static_cast<failure_reason>(i);
        for (const auto& each : of.failures.all().subspan(i * codes, codes)) to.failures[i] += each.get();
        if (whose(why) != party::client) to.closed += of.failures.at(why, 0).get();
    }
}

void add_moment(tally& to, const worker_metrics& of) {
    to.connections += of.connections_open.get();
    to.in_flight += of.requests_in_flight.get();
    to.pending += of.upstream_pending.get();
    to.awaited += of.upstream_awaited.get();
    to.stalled += of.upstream_stalled.get();
    to.upstream_connections += of.upstream_open.get();
    to.upstream_idle += of.upstream_idle.get();
    if (const auto error = of.connect_errno.get(); error != 0) to.connect_errno = static_cast<int>(error);
}

summed_histogram between(const summed_histogram& later, const summed_histogram& earlier) {
    summed_histogram came;
    for (std::size_t i = 0; i < came.buckets.size(); ++i) came.buckets[i] = later.buckets[i] - earlier.buckets[i];
    came.count = later.count - earlier.count;
    came.seconds = later.seconds - earlier.seconds;
    return came;
}

} // namespace

std::uint64_t tally::requests() const noexcept {
    return std::accumulate(responses.begin(), responses.end(), std::uint64_t{0});
}

std::uint64_t tally::ended_well() const noexcept {
    const auto all = requests();
    return all - std::min(all, std::accumulate(failures.begin(), failures.end(), std::uint64_t{0}));
}

tally take_tally(const worker_list& workers) {
    tally all;
    for (const auto* each : workers) {
        add_rules(all, *each);
        add_failures(all, *each);
        add_moment(all, *each);
        all.sent_away += each->reasons[reason::not_ready].get();
        all.connections_refused += each->connections_refused.get();
        all.connects += each->upstream_connects.get();
        all.connect_failures += each->upstream_connect_failures.get();
        all.reuses += each->upstream_reuses.get();
        all.begun += each->upstream_responses.get();
        all.given_up += each->upstream_given_up.get();
        all.upstream.add(each->upstream_response);
        all.overhead.add(each->overhead);
    }
    return all;
}

tally operator-(const tally& later, const tally& earlier) {
    tally came = later;
    for (std::size_t i = 0; i < came.responses.size(); ++i) came.responses[i] -= earlier.responses[i];
    for (std::size_t i = 0; i < came.failures.size(); ++i) came.failures[i] -= earlier.failures[i];
    came.backend_errors -= earlier.backend_errors;
    came.own_errors -= earlier.own_errors;
    came.closed -= earlier.closed;
    came.sent_away -= earlier.sent_away;
    came.connections_refused -= earlier.connections_refused;
    came.connects -= earlier.connects;
    came.connect_failures -= earlier.connect_failures;
    came.reuses -= earlier.reuses;
    came.begun -= earlier.begun;
    came.given_up -= earlier.given_up;
    came.durations = between(later.durations, earlier.durations);
    came.upstream = between(later.upstream, earlier.upstream);
    came.overhead = between(later.overhead, earlier.overhead);
    return came;
}

} // namespace sidecar
