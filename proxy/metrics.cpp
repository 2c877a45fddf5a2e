#include "sidecar/metrics.hpp"

#include <algorithm>
#include <utility>

namespace sidecar {
namespace {

template <class Enum, std::size_t N>
std::string_view word_of(Enum which, const std::array<std::string_view, N>& words) noexcept {
    static_assert(N == enum_size<Enum>, "a word for each");
    const auto place = static_cast<std::size_t>(which);
    return place < N ? words[place] : "unknown";
}

using words = std::string_view;

constexpr auto action_words = std::to_array<words>({"forward", "augment", "reply", "error"});
constexpr auto party_words = std::to_array<words>({"client", "upstream", "sidecar"});

constexpr auto limit_words =
    std::to_array<words>({"connections", "header_bytes", "header_fields", "target_bytes", "chunk_line", "trailer_bytes",
                          "upstream_connections", "upstream_pending", "queue_timeout", "augment_body", "learn_body",
                          "learn_entries", "header_timeout", "body_timeout", "write_timeout", "response_timeout"});

constexpr auto poll_failure_words =
    std::to_array<words>({"name", "connect", "tls", "timeout", "closed", "bad_http", "redirect", "status", "media_type",
                          "too_large", "bad_document", "secret"});

// What a reason is called, whose fault it is, and the codes that it usually ends with: -1: no more of them.
struct failure_facts {
    std::string_view word;
    party whose;
    int usual_code;
    int other_code = -1;
};
constexpr auto failures = std::to_array<failure_facts>({
    {"none", party::sidecar, -1},
    {"bad_request", party::client, 400},
    {"not_implemented", party::client, 501},
    {"header_too_large", party::client, 431},
    {"too_many_fields", party::client, 431},
    {"target_too_long", party::client, 414},
    {"header_timeout", party::client, 408},
    {"body_timeout", party::client, 408, 0},
    {"bad_body", party::client, 400},
    {"connections_limit", party::sidecar, 503},
    {"pending_limit", party::sidecar, 503},
    {"queue_timeout", party::sidecar, 503},
    {"upstream_unreachable", party::upstream, 503, 0},
    {"upstream_connecting_failed_fast", party::upstream, 503, 0},
    {"no_response", party::upstream, 502, 0},
    {"bad_response", party::upstream, 502, 0},
    {"truncated_response", party::upstream, 0},
    {"response_timeout", party::upstream, 504},
    {"response_body_timeout", party::upstream, 0},
    {"request_write_timeout", party::upstream, 504, 0},
    {"client_gone", party::client, 0},
    {"client_stalled", party::client, 0},
    {"status_path", party::client, 404},
    {"drain_timeout", party::sidecar, 0},
});
static_assert(failures.size() == enum_size<failure_reason>, "facts for each");

const failure_facts& facts(failure_reason why) noexcept {
    return failures[std::min(static_cast<std::size_t>(why), failures.size() - 1)];
}

std::size_t place_of(failure_reason why, int code) noexcept {
    constexpr const auto& codes = failure_counters::codes;
    const auto found = std::find(codes.begin(), codes.end(), code);
    const auto column = found == codes.end() ? 0 : static_cast<std::size_t>(found - codes.begin());
    return static_cast<std::size_t>(why) * codes.size() + column;
}

constexpr auto code_words = std::to_array<words>(
    {"closed", "400", "404", "408", "412", "414", "421", "431", "500", "501", "502", "503", "504"});
static_assert(code_words.size() == failure_counters::codes.size(), "a word for each");

// The table's rows, each from a pointer to the member.

template <class Member>
struct owner_of;
template <class Owner, class Type>
struct owner_of<Type Owner::*> {
    using type = Owner;
};
template <auto Member>
using row_of = metric_row<typename owner_of<decltype(Member)>::type>;
template <auto Member>
using owner = typename owner_of<decltype(Member)>::type;

template <auto Member>
std::span<const counter> one(const owner<Member>& of) {
    return {&(of.*Member), 1};
}
template <auto Member>
std::span<const counter> each(const owner<Member>& of) {
    return (of.*Member).all();
}
template <auto Member>
const histogram& distribution(const owner<Member>& of) {
    return of.*Member;
}
template <class Enum>
std::array<std::string_view, 3> word_of_series(std::size_t series) {
    return {to_string(static_cast<Enum>(series)), {}, {}};
}
constexpr bool always(std::size_t) { return true; }
constexpr std::array<std::string_view, 3> no_values(std::size_t) { return {}; }

template <auto Member>
constexpr row_of<Member> count(std::string_view name, std::string_view help) {
    return {metric_kind::counter, name, help, {}, no_values, always, one<Member>, nullptr};
}
template <auto Member>
constexpr row_of<Member> gauge(std::string_view name, std::string_view help) {
    return {metric_kind::gauge, name, help, {}, no_values, always, one<Member>, nullptr};
}
template <auto Member, class Enum>
constexpr row_of<Member> count_by(std::string_view name, std::string_view help, std::string_view label) {
    return {metric_kind::counter, name, help, {label}, word_of_series<Enum>, always, each<Member>, nullptr};
}
// One of a family's counters, under its value of the family's label.
template <auto Member>
constexpr row_of<Member> count_as(std::string_view name, std::string_view help, std::string_view label,
                                  std::array<std::string_view, 3> (*value)(std::size_t)) {
    return {metric_kind::counter, name, help, {label}, value, always, one<Member>, nullptr};
}
template <auto Member>
constexpr row_of<Member> times(std::string_view name, std::string_view help) {
    return {metric_kind::histogram, name, help, {}, no_values, always, nullptr, distribution<Member>};
}

std::array<std::string_view, 3> failure_labels(std::size_t series) {
    const auto why = static_cast<failure_reason>(series / failure_counters::codes.size());
    return {to_string(why), code_words[series % failure_counters::codes.size()], to_string(whose(why))};
}

bool failure_is_usual(std::size_t series) {
    const auto& of = facts(static_cast<failure_reason>(series / failure_counters::codes.size()));
    const auto code = failure_counters::codes[series % failure_counters::codes.size()];
    return code == of.usual_code || code == of.other_code;
}

using m = worker_metrics;

constexpr std::string_view outcomes = "sidecar_augment_responses_total";
constexpr std::string_view outcomes_help =
    "Responses to requests that ask for info: augmented, or why they passed as they came.";
constexpr std::string_view old_outcomes = "sidecar_augment_outcomes_total";
constexpr std::string_view old_outcomes_help =
    "Deprecated, gone in the next version: sidecar_augment_responses_total, whose word for spliced is augmented.";

constexpr auto of_workers = std::to_array<metric_row<worker_metrics>>({
    count_by<&m::reasons, reason>(
        "sidecar_decisions_total",
        "Why requests were forwarded, augmented or replied to here: not_ready is a closed gate.", "reason"),
    {metric_kind::counter,
     "sidecar_failures_total",
     "Exchanges that failed, by reason, by the exact code of our own response (closed: none, or within one), and by "
     "whose fault it was.",
     {"reason", "code", "fault"},
     failure_labels,
     failure_is_usual,
     each<&m::failures>,
     nullptr},

    count_by<&m::not_augmented, not_augmented>(outcomes, outcomes_help, "outcome"),
    count_as<&m::augmented>(outcomes, outcomes_help, "outcome",
                            [](std::size_t) { return std::array<words, 3>{"augmented"}; }),
    count_by<&m::not_augmented, not_augmented>(old_outcomes, old_outcomes_help, "outcome"),
    count_as<&m::augmented>(old_outcomes, old_outcomes_help, "outcome",
                            [](std::size_t) { return std::array<words, 3>{"spliced"}; }),
    count<&m::not_modified>("sidecar_augment_not_modified_total",
                            "Conditional requests for augmented responses that were answered 304 here."),
    count<&m::learned>("sidecar_learned_total",
                       "Resources held as not ready because a response that made them passed through."),

    gauge<&m::connections_open>("sidecar_client_connections", "Clients' connections that are open."),
    count<&m::connections_accepted>("sidecar_client_connections_accepted_total", "Clients' connections accepted."),
    count<&m::connections_refused>("sidecar_client_connections_refused_total",
                                   "Clients' connections answered 503 at the limit."),
    gauge<&m::requests_in_flight>("sidecar_requests_in_flight",
                                  "Requests of which the head's first byte has come and the response has not ended."),
    count<&m::client_aborts>("sidecar_client_aborts_total", "Exchanges that ended because the client went."),
    count<&m::bytes_from_clients>("sidecar_client_received_bytes_total", "Bytes read from clients."),
    count<&m::bytes_to_clients>("sidecar_client_sent_bytes_total", "Bytes written to clients."),

    gauge<&m::upstream_open>("sidecar_upstream_connections",
                             "Connections to the backend that are open, idle ones included."),
    gauge<&m::upstream_idle>("sidecar_upstream_idle_connections",
                             "Connections to the backend that wait to be used again."),
    gauge<&m::upstream_pending>("sidecar_upstream_pending_requests",
                                "Requests that wait in line for a connection to the backend."),
    gauge<&m::upstream_stalled>(
        "sidecar_upstream_stalled_exchanges",
        "Exchanges of which the backend has moved no byte for five seconds, within the request's or "
        "the response's body."),
    gauge<&m::upstream_awaited>(
        "sidecar_upstream_awaited_responses",
        "Requests for which the backend's response is awaited: sent whole, or until it lets the client "
        "send the body; interim responses (1xx) are none."),
    count<&m::upstream_connects>("sidecar_upstream_connects_total",
                                 "Connections made to the backend: attempts that succeeded."),
    count<&m::upstream_connect_failures>("sidecar_upstream_connect_failures_total",
                                         "Attempts to connect to the backend that failed, at each of its addresses."),
    count<&m::upstream_reuses>("sidecar_upstream_reuses_total", "Requests sent on a kept connection."),
    count<&m::upstream_responses>("sidecar_upstream_responses_total",
                                  "Responses of the backend whose head has come; interim ones (1xx) are none."),
    count<&m::upstream_given_up>("sidecar_upstream_given_up_total",
                                 "Requests whose client went while the backend's response was awaited."),
    count<&m::upstream_retries>("sidecar_upstream_retries_total",
                                "Requests sent once more because a kept connection was dead."),
    count<&m::upstream_failures>("sidecar_upstream_failures_total",
                                 "Exchanges in which the backend closed, reset or sent no valid HTTP."),
    times<&m::upstream_wait>("sidecar_upstream_wait_seconds",
                             "In line for a connection to the backend, of the requests that had to wait."),
    times<&m::upstream_connect>("sidecar_upstream_connect_seconds",
                                "How long it took to connect to the backend, where it succeeded."),
    times<&m::upstream_response>("sidecar_upstream_response_seconds",
                                 "From the last byte of a request sent to the backend to the first of its response."),
    times<&m::overhead>("sidecar_overhead_seconds",
                        "The sidecar's own part of a request: from its head to that sent to the backend, and from the "
                        "response's head to that sent to the client."),

    count_by<&m::limits_hit, limit>("sidecar_limits_hit_total",
                                    "How often a configured limit was what ended or refused something.", "limit"),
});

using c = control_metrics;

constexpr std::string_view polls = "sidecar_status_polls_total";
constexpr std::string_view polls_help = "Polls of the status endpoint.";
constexpr std::string_view reloads = "sidecar_config_reloads_total";
constexpr std::string_view reloads_help = "Reloads of the configuration.";
std::array<words, 3> ok(std::size_t) { return {"ok"}; }
std::array<words, 3> not_modified(std::size_t) { return {"not_modified"}; }
std::array<words, 3> failed(std::size_t) { return {"failed"}; }

constexpr auto of_the_control_plane = std::to_array<metric_row<control_metrics>>({
    count_as<&c::polls_ok>(polls, polls_help, "outcome", ok),
    count_as<&c::polls_not_modified>(polls, polls_help, "outcome", not_modified),
    count_as<&c::polls_failed>(polls, polls_help, "outcome", failed),
    count_by<&c::polls_failed_by, poll_failure>("sidecar_status_poll_failures_total",
                                                "Failed polls of the status endpoint, by what was wrong.", "reason"),
    times<&c::poll_duration>("sidecar_status_poll_duration_seconds",
                             "How long polls took; without those that the backend was asked to hold."),
    count_as<&c::reloads_ok>(reloads, reloads_help, "outcome", ok),
    count_as<&c::reloads_failed>(reloads, reloads_help, "outcome", failed),
    gauge<&c::reload_last_ok>("sidecar_config_last_reload_successful",
                              "0: the file that is there could not be used; the one before it is in force."),
});

} // namespace

void histogram::observe(std::chrono::nanoseconds took) noexcept {
    const double seconds = std::chrono::duration<double>(took).count();
    const auto place = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
    buckets[static_cast<std::size_t>(place)].add();
    sum_nanoseconds.add(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
}

std::string_view to_string(action_kind which) noexcept { return word_of(which, action_words); }
std::string_view to_string(limit which) noexcept { return word_of(which, limit_words); }
std::string_view to_string(failure_reason why) noexcept { return facts(why).word; }
std::string_view to_string(party which) noexcept { return word_of(which, party_words); }
std::string_view to_string(poll_failure why) noexcept { return word_of(why, poll_failure_words); }

party whose(failure_reason why) noexcept { return facts(why).whose; }

counter& failure_counters::at(failure_reason why, int code) noexcept { return all_[place_of(why, code)]; }
const counter& failure_counters::at(failure_reason why, int code) const noexcept { return all_[place_of(why, code)]; }

void last_failures::note(std::chrono::system_clock::time_point at, std::string_view method, std::string_view target,
                         failure_reason why, int code, std::chrono::nanoseconds took) {
    constexpr std::size_t text_bytes_max = 96;
    entry noted{
        at,  std::string(method.substr(0, text_bytes_max)), std::string(target.substr(0, text_bytes_max)), why, code,
        took};
    const std::lock_guard lock(mutex_);
    if (entries_.size() < kept) {
        entries_.push_back(std::move(noted));
        return;
    }
    entries_[next_] = std::move(noted);
    next_ = (next_ + 1) % kept;
}

std::vector<last_failures::entry> last_failures::all() const {
    const std::lock_guard lock(mutex_);
    std::vector<entry> copy(entries_);
    std::rotate(copy.begin(), copy.begin() + static_cast<std::ptrdiff_t>(next_), copy.end());
    return copy;
}

std::span<const metric_row<worker_metrics>> worker_table() noexcept { return of_workers; }
std::span<const metric_row<control_metrics>> control_table() noexcept { return of_the_control_plane; }

} // namespace sidecar
