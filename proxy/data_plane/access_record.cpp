#include "proxy/data_plane/access_record.hpp"

#include "proxy/log/json_line.hpp"

#include <algorithm>

namespace sidecar {

namespace {

// traceparent: version "-" trace-id "-" parent-id "-" flags (W3C Trace Context).
std::string_view trace_id(std::string_view traceparent) noexcept {
    return traceparent.size() >= 55 && traceparent[2] == '-' && traceparent[35] == '-' ? traceparent.substr(3, 32)
                                                                                       : std::string_view{};
}

void add_field(json_line& line, std::string_view name, const request_view& request, std::string_view field) {
    if (const auto* found = request.find(field)) line.add(name, found->value);
}

void add_rule_and_id(json_line& line, const settings& config, const decision& decided) {
    if (decided.rule != decision::no_rule) line.add("rule", config.values.rules.rules[decided.rule].name);
    if (decided.id) line.add_word("id", to_string(*decided.id));
}

action_kind kind_of(const action& of) noexcept {
    if (std::holds_alternative<augment>(of)) return action_kind::augment;
    return std::holds_alternative<local_reply>(of) ? action_kind::reply : action_kind::forward;
}

} // namespace

void access_record::finish(worker_state& worker, const settings& config, const request_head& request,
                           const decision& decided, std::string_view client) const {
    worker.metrics.bytes_from_clients.add(bytes_from_client);
    worker.metrics.bytes_to_clients.add(bytes_to_client);
    worker.timers.update_now();
    const auto took = worker.timers.now() - began;
    count(worker.metrics, decided, took);
    if (failure != failure_reason::none && whose(failure) != party::client)
        worker.metrics.failed_last.note(std::chrono::system_clock::now(), request.method, loggable_target(request.path),
                                        failure, status, took);
    const auto& wanted = config.values.log;
    const bool is_error = failure != failure_reason::none || status >= 400;
    const bool is_slow = wanted.slower_than.count() > 0 && took > wanted.slower_than;
    const bool is_wanted =
        wanted.access == access_log::all || (wanted.access == access_log::errors && is_error) || is_slow;
    if (is_wanted && worker.lines.takes(level())) log(worker, config, request, decided, client, took);
}

void access_record::explain(worker_state& worker, const settings& config, const request_head& request,
                            const decision& decided, std::string_view client) {
    auto line = worker.lines.begin(log_level::debug, "decision");
    line.add_word("client", client).add("method", request.method).add("target", loggable_target(request.path));
    line.add_word("action", to_string(kind_of(decided.action))).add_word("reason", to_string(decided.reason));
    add_rule_and_id(line, config, decided);
    add_field(line, "request_id", request.view(), "x-request-id");
    worker.lines.push(line);
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
    const auto view = request.view();
    auto line = worker.lines.begin(level(), "request");
    line.add_word("client", client);
    add_field(line, "forwarded_for", view, "x-forwarded-for");
    line.add("method", request.method).add("target", loggable_target(request.path));
    line.add("status", static_cast<std::uint64_t>(status)).add_word("action", to_string(kind));
    if (kind != action_kind::error) line.add_word("reason", to_string(decided.reason));
    add_rule_and_id(line, config, decided);
    if (relayed_unmodified) line.add_word("not_augmented", to_string(*relayed_unmodified));
    if (failure != failure_reason::none) line.add_word("error", to_string(failure));
    if (*detail) line.add("detail", detail);
    line.add("duration", took);
    if (sent_at != time_point{} && answered_at >= sent_at) line.add("upstream", answered_at - sent_at);
    if (reaching.in_line.count() > 0) line.add("wait", reaching.in_line);
    if (reaching.connecting.count() > 0) line.add("connect", reaching.connecting);
    line.add("bytes_in", bytes_from_client).add("bytes_out", bytes_to_client).add("upstream_reused", upstream_reused);
    if (retried) line.add("retried", true);
    if (!request_id.empty())
        line.add("request_id", request_id);
    else
        add_field(line, "request_id", view, "x-request-id");
    if (const auto* trace = view.find("traceparent"))
        if (const auto id = trace_id(trace->value); !id.empty()) line.add("trace_id", id);
    add_field(line, "user_agent", view, "user-agent");
    worker.lines.push(line);
}

void count_body_fault(worker_metrics& metrics, body_reader::fault what) noexcept {
    if (what == body_reader::fault::chunk_line_too_long) metrics.limits_hit[limit::chunk_line].add();
    if (what == body_reader::fault::trailer_too_long) metrics.limits_hit[limit::trailer_bytes].add();
}

} // namespace sidecar
