#include "proxy/control_plane/exposition.hpp"

#include "proxy/control_plane/sums.hpp"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using labels = std::vector<ClientMetric::Label>;

// The families in the making, in the order in which they are added.
class families {
public:
    void counter(std::string name, std::string help) { begin(std::move(name), std::move(help), MetricType::Counter); }
    void gauge(std::string name, std::string help) { begin(std::move(name), std::move(help), MetricType::Gauge); }
    void histogram(std::string name, std::string help) {
        begin(std::move(name), std::move(help), MetricType::Histogram);
    }

    // A sample of the family begun last.
    void add(double value, labels with = {}) {
        ClientMetric metric;
        metric.label = std::move(with);
        if (made_.back().type == MetricType::Counter)
            metric.counter.value = value;
        else
            metric.gauge.value = value;
        made_.back().metric.push_back(std::move(metric));
    }
    void add(std::uint64_t value, labels with = {}) { add(static_cast<double>(value), std::move(with)); }

    void add(const summed_histogram& value, labels with = {}) {
        ClientMetric metric;
        metric.label = std::move(with);
        std::uint64_t cumulative = 0;
        for (std::size_t i = 0; i < value.buckets.size(); ++i) {
            cumulative += value.buckets[i];
            const bool last = i == sidecar::histogram::bounds.size();
            const auto bound = last ? std::numeric_limits<double>::infinity() : sidecar::histogram::bounds[i];
            metric.histogram.bucket.push_back({cumulative, bound});
        }
        metric.histogram.sample_count = value.count;
        metric.histogram.sample_sum = value.seconds;
        made_.back().metric.push_back(std::move(metric));
    }

    const std::vector<MetricFamily>& made() const { return made_; }

private:
    void begin(std::string name, std::string help, MetricType type) {
        made_.push_back({std::move(name), std::move(help), type, {}});
    }

    std::vector<MetricFamily> made_;
};

std::string word(std::string_view text) { return std::string(text); }

constexpr std::array<std::string_view, action_kinds> action_words{"forward", "augment", "reply", "error"};
constexpr std::array<std::string_view, worker_metrics::codes> code_words{"closed", "1xx", "2xx", "3xx", "4xx", "5xx"};

// Rows beyond the configured rules stay empty; the last is for requests that no rule selected.
std::vector<std::pair<std::size_t, std::string>> named_rows(const settings& current) {
    std::vector<std::pair<std::size_t, std::string>> rows;
    const auto& rules = current.values.rules.rules;
    for (std::size_t i = 0; i < std::min(rules.size(), worker_metrics::rules_max); ++i)
        rows.emplace_back(i, rules[i].name);
    rows.emplace_back(worker_metrics::rules_max, "none");
    return rows;
}

// What such a rule can lead to is there from the start, so that its first increase is seen as one.
bool is_expected(std::size_t row, action_kind kind, std::size_t code, const settings& current) {
    if (code < 2) return false;
    if (kind == action_kind::forward) return true;
    if (kind == action_kind::error) return code >= 4;
    if (row >= current.values.rules.rules.size()) return false;
    const auto& action = current.values.rules.rules[row].action;
    if (kind == action_kind::augment) return std::holds_alternative<augment_rule>(action);
    return code == 4 && std::holds_alternative<gate_rule>(action);
}

void add_requests(families& to, const standing& now) {
    to.counter("sidecar_requests_total",
               "Requests answered, by the rule that selected them, what was done, and the class of the status.");
    for (const auto& [row, name] : named_rows(*now.current)) {
        const auto sums = now.rows->of(row, now.workers);
        for (std::size_t kind = 0; kind < action_kinds; ++kind)
            for (std::size_t code = 0; code < worker_metrics::codes; ++code)
                if (sums.requests[kind][code] != 0 ||
                    is_expected(row, static_cast<action_kind>(kind), code, *now.current))
                    to.add(sums.requests[kind][code],
                           {{"rule", name}, {"action", word(action_words[kind])}, {"code", word(code_words[code])}});
    }
    to.histogram("sidecar_request_duration_seconds", "From a request's first byte to the end of its answer.");
    for (const auto& [row, name] : named_rows(*now.current))
        to.add(now.rows->of(row, now.workers).duration, {{"rule", name}});
    to.counter("sidecar_decisions_total",
               "Why requests were forwarded, augmented or answered here: not_ready is a closed gate.");
    for (std::size_t i = 0; i < now.workers.front()->reasons.size(); ++i)
        to.add(sum(
                   now.workers, [i](auto& w) -> auto& { return w.reasons[i]; }),
               {{"reason", word(to_string(static_cast<reason>(i)))}});
}

void add_augmenting(families& to, const standing& now) {
    to.counter("sidecar_augment_outcomes_total",
               "Answers to requests that ask for info: spliced, or why they passed as they came.");
    constexpr std::size_t outcomes = std::tuple_size_v<decltype(worker_metrics::augmented)>;
    for (std::size_t i = 0; i < outcomes; ++i) {
        const auto outcome = i + 1 == outcomes ? "spliced" : to_string(static_cast<not_augmented>(i));
        to.add(sum(
                   now.workers, [i](auto& w) -> auto& { return w.augmented[i]; }),
               {{"outcome", word(outcome)}});
    }
    to.counter("sidecar_augment_not_modified_total",
               "Conditional requests for augmented answers that were answered 304 here.");
    to.add(sum(
        now.workers, [](auto& w) -> auto& { return w.not_modified; }));
    to.counter("sidecar_learned_total", "Resources held as not ready because an answer that made them passed through.");
    to.add(sum(
        now.workers, [](auto& w) -> auto& { return w.learned; }));
}

struct plain {
    const char* name;
    const char* help;
    sidecar::counter worker_metrics::*which;
};

void add_plain(families& to, const standing& now, bool is_gauge, std::initializer_list<plain> list) {
    for (const auto& each : list) {
        if (is_gauge)
            to.gauge(each.name, each.help);
        else
            to.counter(each.name, each.help);
        to.add(sum(
            now.workers, [&each](auto& w) -> auto& { return w.*each.which; }));
    }
}

void add_connections(families& to, const standing& now) {
    using m = worker_metrics;
    add_plain(to, now, true,
              {{"sidecar_client_connections", "Clients' connections that are open.", &m::connections_open},
               {"sidecar_upstream_connections", "Connections to the backend that are open, idle ones included.",
                &m::upstream_open},
               {"sidecar_upstream_idle_connections", "Connections to the backend that wait to be used again.",
                &m::upstream_idle}});
    add_plain(
        to, now, false,
        {{"sidecar_client_connections_accepted_total", "Clients' connections accepted.", &m::connections_accepted},
         {"sidecar_client_connections_refused_total", "Clients' connections answered 503 at the limit.",
          &m::connections_refused},
         {"sidecar_client_aborts_total", "Exchanges that ended because the client went.", &m::client_aborts},
         {"sidecar_client_received_bytes_total", "Bytes read from clients.", &m::bytes_from_clients},
         {"sidecar_client_sent_bytes_total", "Bytes written to clients.", &m::bytes_to_clients},
         {"sidecar_body_spliced_bytes_total", "Bytes of bodies, either way, moved within the kernel.",
          &m::bytes_spliced},
         {"sidecar_pipes_used_up_total", "Reads that were copied because no pipe was left.", &m::pipes_used_up},
         {"sidecar_upstream_connects_total", "Connections made to the backend.", &m::upstream_connects},
         {"sidecar_upstream_connect_failures_total", "Attempts to connect to the backend that failed.",
          &m::upstream_connect_failures},
         {"sidecar_upstream_reuses_total", "Requests sent on a kept connection.", &m::upstream_reuses},
         {"sidecar_upstream_retries_total", "Requests sent once more because a kept connection was dead.",
          &m::upstream_retries},
         {"sidecar_upstream_failures_total", "Exchanges in which the backend closed, reset or sent no valid HTTP.",
          &m::upstream_failures}});
    to.histogram("sidecar_upstream_response_seconds",
                 "From the last byte of a request sent to the backend to the first of its answer.");
    to.add(sum_histograms(
        now.workers, [](auto& w) -> auto& { return w.upstream_response; }));
    to.counter("sidecar_limits_hit_total", "How often a configured limit was what ended or refused something.");
    for (std::size_t i = 0; i < limit_kinds; ++i)
        to.add(sum(
                   now.workers, [i](auto& w) -> auto& { return w.limits_hit[i]; }),
               {{"limit", word(to_string(static_cast<limit>(i)))}});
}

void add_polls(families& to, const standing& now) {
    const auto& control = *now.control;
    to.counter("sidecar_status_polls_total", "Polls of the status endpoint.");
    to.add(control.polls_ok.get(), {{"outcome", "ok"}});
    to.add(control.polls_not_modified.get(), {{"outcome", "not_modified"}});
    to.add(control.polls_failed.get(), {{"outcome", "failed"}});
    to.counter("sidecar_status_poll_failures_total", "Failed polls of the status endpoint, by what was wrong.");
    for (std::size_t i = 0; i < poll_failures; ++i)
        to.add(control.polls_failed_by[i].get(), {{"reason", word(to_string(static_cast<poll_failure>(i)))}});
    to.histogram("sidecar_status_poll_duration_seconds",
                 "How long polls took; without those that the backend was asked to hold.");
    summed_histogram durations;
    durations.add(control.poll_duration);
    to.add(durations);
    to.gauge("sidecar_status_poll_consecutive_failures", "Failed polls since the last good one.");
    to.add(std::uint64_t{now.poll.failures});
}

void add_readiness(families& to, const standing& now) {
    const auto& known = *now.known;
    to.gauge("sidecar_readiness_fresh", "1: the snapshot is young enough to count; 0: all is unknown.");
    to.add(known.fresh(now.now) ? 1.0 : 0.0);
    to.gauge("sidecar_readiness_max_age_seconds", "The age beyond which the snapshot says nothing (status.max_age).");
    to.add(std::chrono::duration<double>(known.max_age).count());
    if (known.document) { // before the first there is no age
        to.gauge("sidecar_readiness_age_seconds", "Time since the snapshot was brought or renewed.");
        to.add(std::chrono::duration<double>(now.now - known.answered_at).count());
    }
    to.gauge("sidecar_readiness_document_bytes", "Size of the last good status document.");
    to.add(static_cast<std::uint64_t>(now.poll.document_bytes));
    to.gauge("sidecar_readiness_learned_entries", "Lessons from passing answers that may still count.");
    to.add(static_cast<std::uint64_t>(known.recent ? known.recent->entries.size() : 0));
    if (now.poll.collections.empty()) return;
    to.gauge("sidecar_readiness_entries", "Entries of the last good status document, by collection.");
    for (const auto& each : now.poll.collections)
        to.add(static_cast<std::uint64_t>(each.listed), {{"collection", each.name}});
    to.gauge("sidecar_readiness_not_ready_entries", "Those of which the member is false.");
    for (const auto& each : now.poll.collections)
        for (const auto& [member, count] : each.not_ready)
            to.add(static_cast<std::uint64_t>(count), {{"collection", each.name}, {"member", member}});
}

void add_program(families& to, const standing& now) {
    const auto& control = *now.control;
    to.gauge("sidecar_build_info", "Always 1; what is running is in the labels.");
    to.add(1.0, {{"version", SIDECAR_VERSION}, {"compiler", __VERSION__}});
    to.gauge("sidecar_ready", "What /readyz says.");
    to.add(now.not_ready.empty() ? 1.0 : 0.0);
    to.gauge("sidecar_draining", "1 from the first signal to end on.");
    to.add(now.draining ? 1.0 : 0.0);
    to.gauge("sidecar_workers", "Threads of the data plane.");
    to.add(static_cast<std::uint64_t>(now.workers.size()));
    to.counter("sidecar_config_reloads_total", "Reloads of the configuration.");
    to.add(control.reloads_ok.get(), {{"outcome", "ok"}});
    to.add(control.reloads_failed.get(), {{"outcome", "failed"}});
    to.gauge("sidecar_config_last_reload_successful",
             "0: the file that is there could not be used; the one before it is in force.");
    to.add(control.reload_last_ok.get());
    to.gauge("sidecar_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.");
    to.add(control.reload_last_success_unix.load());
    to.counter("sidecar_log_lines_dropped_total", "Log lines that found the queue full.");
    to.add(now.log_lines_dropped);
}

void add_process(families& to, const process_figures& figures) {
    to.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.");
    to.add(figures.cpu_seconds);
    to.gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.");
    to.add(figures.start_time_unix);
    to.gauge("process_resident_memory_bytes", "Resident memory size in bytes.");
    to.add(static_cast<std::uint64_t>(figures.resident_bytes));
    to.gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.");
    to.add(static_cast<std::uint64_t>(figures.virtual_bytes));
    to.gauge("process_open_fds", "Number of open file descriptors.");
    to.add(static_cast<std::uint64_t>(figures.open_descriptors));
    to.gauge("process_max_fds", "Maximum number of open file descriptors.");
    to.add(static_cast<std::uint64_t>(figures.descriptors_max));
    to.gauge("process_threads", "Number of threads.");
    to.add(static_cast<std::uint64_t>(figures.threads));
}

} // namespace

std::string exposition(const standing& now) {
    families all;
    add_requests(all, now);
    add_augmenting(all, now);
    add_connections(all, now);
    add_polls(all, now);
    add_readiness(all, now);
    add_program(all, now);
    add_process(all, now.process);
    return prometheus::TextSerializer().Serialize(all.made());
}

} // namespace sidecar
