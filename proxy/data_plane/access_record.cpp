#include "proxy/data_plane/access_record.hpp"

#include "proxy/json/json_text.hpp"

#include <algorithm>
#include <charconv>

namespace sidecar {

namespace {

constexpr std::size_t value_bytes_max = 256;

// `name` as it stands in the line: `,"status":`, so that it is one piece.
void add_text(std::string& line, std::string_view name, std::string_view value) {
    line += name;
    append_json_string(line, value.substr(0, value_bytes_max));
}

void add_word(std::string& line, std::string_view name, std::string_view word) { // needs no escaping
    line += name;
    line += '"';
    line += word;
    line += '"';
}

void add_number(std::string& line, std::string_view name, std::uint64_t value) {
    char digits[20];
    char* end = std::to_chars(digits, digits + sizeof digits, value).ptr;
    line += name;
    line.append(digits, end);
}

void add_seconds(std::string& line, std::string_view name, std::chrono::nanoseconds took) {
    // To the microsecond. By hand: std::to_chars goes through printf for this.
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count() / 1000));
    add_number(line, name, micros / 1'000'000);
    char fraction[] = ".000000";
    auto rest = micros % 1'000'000;
    for (char* digit = fraction + 6; rest != 0; --digit, rest /= 10) *digit = static_cast<char>('0' + rest % 10);
    line.append(fraction, 7);
}

// traceparent: version "-" trace-id "-" parent-id "-" flags (W3C Trace Context).
std::string_view trace_id(std::string_view traceparent) noexcept {
    return traceparent.size() >= 55 && traceparent[2] == '-' && traceparent[35] == '-' ? traceparent.substr(3, 32)
                                                                                       : std::string_view{};
}

// Without the query, which may hold secrets, and without an absolute target's authority, which may hold a password.
std::string_view loggable_target(const request_head& request) noexcept {
    return request.path.substr(0, request.path.find('?'));
}

void add_field(std::string& line, std::string_view name, const request_view& request, std::string_view field) {
    if (const auto* found = request.find(field)) add_text(line, name, found->value);
}

} // namespace

void access_record::finish(worker_state& worker, const settings& config, const request_head& request,
                           const decision& decided, std::string_view client) const {
    worker.metrics.bytes_from_clients.add(bytes_from_client);
    worker.metrics.bytes_to_clients.add(bytes_to_client);
    worker.timers.update_now();
    const auto took = worker.timers.now() - began;
    count(worker.metrics, decided, took);
    const auto& wanted = config.values.log;
    const bool is_error = failure != failure_reason::none || status >= 400;
    const bool is_slow = wanted.slower_than.count() > 0 && took > wanted.slower_than;
    const bool is_wanted =
        wanted.access == access_log::all || (wanted.access == access_log::errors && is_error) || is_slow;
    if (is_wanted && worker.access_log && level() >= worker.common.log.least())
        log(worker, config, request, decided, client, took);
}

void access_record::count(worker_metrics& metrics, const decision& decided, std::chrono::nanoseconds took) const {
    auto& row = metrics.rules[std::min(decided.rule, worker_metrics::rules_max)];
    row.requests[static_cast<std::size_t>(kind)][static_cast<std::size_t>(std::clamp(status / 100, 0, 5))].add();
    row.duration.observe(took);
    metrics.reasons[decided.reason].add();
    if (failure != failure_reason::none) metrics.failures.at(failure, status).add();
    if (augmented)
        metrics.augmented.add();
    else if (relayed_unmodified)
        metrics.not_augmented[*relayed_unmodified].add();
    if (sent_at != time_point{} && answered_at >= sent_at) metrics.upstream_response.observe(answered_at - sent_at);
    if (overhead.count() > 0) metrics.overhead.observe(overhead);
    const auto party_at_fault = whose(failure);
    if (failure == failure_reason::none) return;
    if (party_at_fault == party::upstream) metrics.upstream_failures.add();
    if (failure == failure_reason::client_gone || failure == failure_reason::client_stalled)
        metrics.client_aborts.add();
}

// From the request's head to that sent on, and from the response's head to the client.
void access_record::stop_own_time() noexcept {
    if (mark != time_point{}) overhead += std::chrono::steady_clock::now() - mark;
}

void access_record::go_on_with_own_time() noexcept {
    if (mark != time_point{}) mark = std::chrono::steady_clock::now();
}

// Our own 5xx, and a response that was cut, are errors; our own 4xx are warnings. What the backend says is its affair.
log_level access_record::level() const noexcept {
    if (failure == failure_reason::none || whose(failure) == party::client)
        return kind == action_kind::error && status >= 400 ? log_level::warn : log_level::info;
    return log_level::error;
}

void access_record::log(worker_state& worker, const settings& config, const request_head& request,
                        const decision& decided, std::string_view client, std::chrono::nanoseconds took) const {
    thread_local std::string line; // its memory is used again
    constexpr std::string_view levels[] = {"debug", "info", "warn", "error"};
    const auto view = request.view();
    line.assign("{\"time\":\"").append(worker.log_time());
    line.append("\",\"level\":\"").append(levels[static_cast<std::size_t>(level())]).append("\",\"msg\":\"request\"");
    add_word(line, R"(,"client":)", client);
    add_field(line, R"(,"forwarded_for":)", view, "x-forwarded-for");
    add_text(line, R"(,"method":)", request.method);
    add_text(line, R"(,"target":)", loggable_target(request));
    add_number(line, R"(,"status":)", static_cast<std::uint64_t>(status));
    add_word(line, R"(,"action":)", to_string(kind));
    if (kind != action_kind::error) add_word(line, R"(,"reason":)", to_string(decided.reason));
    if (decided.rule != decision::no_rule) add_text(line, R"(,"rule":)", config.values.rules.rules[decided.rule].name);
    if (decided.id) add_word(line, R"(,"id":)", to_string(*decided.id));
    if (relayed_unmodified) add_word(line, R"(,"not_augmented":)", to_string(*relayed_unmodified));
    if (failure != failure_reason::none) add_word(line, R"(,"error":)", to_string(failure));
    if (*detail) add_text(line, R"(,"detail":)", detail);
    add_seconds(line, R"(,"duration":)", took);
    if (sent_at != time_point{} && answered_at >= sent_at) add_seconds(line, R"(,"upstream":)", answered_at - sent_at);
    if (waited.count() > 0) add_seconds(line, R"(,"connect":)", waited);
    add_number(line, R"(,"bytes_in":)", bytes_from_client);
    add_number(line, R"(,"bytes_out":)", bytes_to_client);
    line.append(upstream_reused ? ",\"upstream_reused\":true" : ",\"upstream_reused\":false");
    if (retried) line.append(",\"retried\":true");
    if (!request_id.empty())
        add_text(line, R"(,"request_id":)", request_id);
    else
        add_field(line, R"(,"request_id":)", view, "x-request-id");
    if (const auto* trace = view.find("traceparent"))
        if (const auto id = trace_id(trace->value); !id.empty()) add_text(line, R"(,"trace_id":)", id);
    add_field(line, R"(,"user_agent":)", view, "user-agent");
    line += "}\n";
    worker.access_log->push(line);
}

void count_body_fault(worker_metrics& metrics, body_reader::fault what) noexcept {
    if (what == body_reader::fault::chunk_line_too_long) metrics.limits_hit[limit::chunk_line].add();
    if (what == body_reader::fault::trailer_too_long) metrics.limits_hit[limit::trailer_bytes].add();
}

} // namespace sidecar
