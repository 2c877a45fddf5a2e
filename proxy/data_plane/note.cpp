// What was done with a request, for the counters and the access log.
#include "proxy/data_plane/exchange.hpp"

#include "proxy/data_plane/worker_context.hpp"
#include "proxy/json/json_text.hpp"

#include <algorithm>
#include <charconv>

namespace sidecar {

namespace {

// `name` as it stands in the line: `,"status":`, so that it is one piece.
void add_text(std::string& line, std::string_view name, std::string_view value) {
    line += name;
    append_json_string(line, value);
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

} // namespace

void exchange::note_end() {
    auto& metrics = context_.metrics;
    metrics.bytes_from_clients.add(bytes_from_client_);
    metrics.bytes_to_clients.add(bytes_to_client_);
    if (state_->request.method.empty() && status_ == 0) return; // the client went before it had asked for anything
    const auto took = context_.loop.now() - began_;
    auto& row = metrics.rules[std::min(decision_.rule, worker_metrics::rules_max)];
    row.requests[static_cast<std::size_t>(kind_)][static_cast<std::size_t>(std::clamp(status_ / 100, 0, 5))].add();
    row.duration.observe(took);
    metrics.reasons[static_cast<std::size_t>(decision_.reason)].add();
    if (was_spliced_)
        metrics.augmented.add();
    else if (unspliced_)
        metrics.not_augmented[*unspliced_].add();
    if (sent_at_ != time_point{} && answered_at_ >= sent_at_)
        metrics.upstream_response.observe(answered_at_ - sent_at_);
    if (context_.access_log && settings_->values.log.access != access_log::off) log_access(took);
}

void exchange::log_access(std::chrono::nanoseconds took) {
    thread_local std::string line; // its memory is used again
    const auto& request = state_->request;
    line.assign("{\"time\":\"").append(context_.log_time()).append("\",\"level\":\"info\",\"msg\":\"request\"");
    add_word(line, R"(,"client":)", session_.peer_address());
    add_text(line, R"(,"method":)", request.method);
    add_text(line, R"(,"target":)", request.target.substr(0, request.target.find('?')));
    add_number(line, R"(,"status":)", static_cast<std::uint64_t>(status_));
    add_word(line, R"(,"action":)", to_string(kind_));
    if (kind_ != action_kind::error) add_word(line, R"(,"reason":)", to_string(decision_.reason));
    if (decision_.rule != decision::no_rule)
        add_text(line, R"(,"rule":)", settings_->values.rules.rules[decision_.rule].name);
    if (decision_.id) add_word(line, R"(,"id":)", to_string(*decision_.id));
    if (unspliced_) add_word(line, R"(,"unspliced":)", to_string(*unspliced_));
    if (*outcome_) add_text(line, R"(,"error":)", outcome_);
    add_seconds(line, R"(,"duration":)", took);
    if (sent_at_ != time_point{} && answered_at_ >= sent_at_)
        add_seconds(line, R"(,"upstream":)", answered_at_ - sent_at_);
    add_number(line, R"(,"bytes_in":)", bytes_from_client_);
    add_number(line, R"(,"bytes_out":)", bytes_to_client_);
    line.append(was_reused_ ? ",\"upstream_reused\":true" : ",\"upstream_reused\":false");
    if (retried_) line.append(",\"retried\":true");
    const auto view = request.view();
    if (!request_id_.empty())
        add_word(line, R"(,"request_id":)", request_id_);
    else if (const auto* id = view.find("x-request-id"))
        add_text(line, R"(,"request_id":)", id->value);
    if (const auto* trace = view.find("traceparent"))
        if (const auto id = trace_id(trace->value); !id.empty()) add_text(line, R"(,"trace_id":)", id);
    line += "}\n";
    context_.access_log->push(line);
}

} // namespace sidecar
