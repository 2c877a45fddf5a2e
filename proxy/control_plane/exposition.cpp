#include "proxy/control_plane/exposition.hpp"

#include "proxy/control_plane/readiness_view.hpp"
#include "proxy/control_plane/sums.hpp"

#include "sidecar/version.hpp"

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

    // The same name again goes on with its family.
    void begin(metric_kind kind, std::string_view name, std::string_view help) {
        if (!made_.empty() && made_.back().name == name) return;
        begin(std::string(name), std::string(help), type_of(kind));
    }

    const std::vector<MetricFamily>& made() const { return made_; }

private:
    static MetricType type_of(metric_kind kind) {
        switch (kind) {
        case metric_kind::counter:
            return MetricType::Counter;
        case metric_kind::gauge:
            return MetricType::Gauge;
        case metric_kind::histogram:
            break;
        }
        return MetricType::Histogram;
    }

    void begin(std::string name, std::string help, MetricType type) {
        made_.push_back({std::move(name), std::move(help), type, {}});
    }

    std::vector<MetricFamily> made_;
};

std::string word(std::string_view text) { return std::string(text); }

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
    to.counter(word(requests_name),
               "Requests answered, by the rule that selected them, what was done, and the class of the status.");
    for (const auto& [row, name] : named_rows(*now.current)) {
        const auto sums = now.rows->of(row, now.workers);
        for (std::size_t kind = 0; kind < enum_size<action_kind>; ++kind)
            for (std::size_t code = 0; code < worker_metrics::codes; ++code)
                if (sums.requests[kind][code] != 0 ||
                    is_expected(row, static_cast<action_kind>(kind), code, *now.current))
                    to.add(sums.requests[kind][code], {{"rule", name},
                                                       {"action", word(to_string(static_cast<action_kind>(kind)))},
                                                       {"code", word(code_words[code])}});
    }
    to.histogram(word(durations_name), "From a request's first byte to the end of its answer.");
    for (const auto& [row, name] : named_rows(*now.current))
        to.add(now.rows->of(row, now.workers).duration, {{"rule", name}});
}

std::uint64_t total(const worker_list& of, const metric_row<worker_metrics>& row, std::size_t series) {
    std::uint64_t all = 0;
    for (const auto* each : of) all += row.counters(*each)[series].get();
    return all;
}
std::uint64_t total(const control_metrics& of, const metric_row<control_metrics>& row, std::size_t series) {
    return row.counters(of)[series].get();
}

summed_histogram total(const worker_list& of, const metric_row<worker_metrics>& row) {
    summed_histogram all;
    for (const auto* each : of) all.add(row.distribution(*each));
    return all;
}
summed_histogram total(const control_metrics& of, const metric_row<control_metrics>& row) {
    summed_histogram all;
    all.add(row.distribution(of));
    return all;
}

std::size_t series_of(const worker_list& of, const metric_row<worker_metrics>& row) {
    return row.counters(*of.front()).size();
}
std::size_t series_of(const control_metrics& of, const metric_row<control_metrics>& row) {
    return row.counters(of).size();
}

labels labels_of(const auto& row, std::size_t series) {
    labels with;
    const auto values = row.values(series);
    for (std::size_t i = 0; i < values.size() && !row.labels[i].empty(); ++i)
        with.push_back({word(row.labels[i]), word(values[i])});
    return with;
}

// Of the table in proxy/metrics.cpp: `of` is whose rows these are.
void add_table(families& to, const auto& of, const auto& table) {
    for (const auto& row : table) {
        to.begin(row.kind, row.name, row.help);
        if (row.counters == nullptr) {
            to.add(total(of, row));
            continue;
        }
        for (std::size_t series = 0; series < series_of(of, row); ++series)
            if (const auto value = total(of, row, series); value != 0 || row.always_there(series))
                to.add(value, labels_of(row, series));
    }
}

void add_polls(families& to, const standing& now) {
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
    to.gauge("sidecar_readiness_oldest_not_ready_seconds",
             "For how long the resource has not been ready that has been so for longest; 0: none is.");
    const auto since = known.oldest_not_ready_since(now.now);
    to.add(since ? std::max(0.0, std::chrono::duration<double>(now.now - *since).count()) : 0.0);
    to.gauge("sidecar_readiness_document_bytes", "Size of the last good status document.");
    to.add(static_cast<std::uint64_t>(now.poll.document_bytes));
    to.gauge("sidecar_readiness_learned_entries", "Lessons from passing answers that still count.");
    to.add(static_cast<std::uint64_t>(lessons_that_count(now)));
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
    to.gauge("sidecar_build_info", "Always 1; what is running is in the labels.");
    to.add(1.0,
           {{"version", std::string(version())}, {"revision", std::string(revision())}, {"compiler", __VERSION__}});
    to.gauge("sidecar_ready", "What /readyz says.");
    to.add(now.not_ready.empty() ? 1.0 : 0.0);
    to.gauge("sidecar_draining", "1 from the first signal to end on.");
    to.add(now.draining ? 1.0 : 0.0);
    to.gauge("sidecar_workers", "Threads of the data plane.");
    to.add(static_cast<std::uint64_t>(now.workers.size()));
    to.gauge("sidecar_config_last_reload_success_timestamp_seconds", "When the configuration in force was read.");
    to.add(now.control->reload_last_success_unix.load());
    to.counter("sidecar_log_lines_dropped_total", "Log lines that found the queue full.");
    to.add(now.log_lines_dropped);
}

// What the admin page's banner is made of: an alert on it needs no thresholds of its own.
void add_troubles(families& to, const standing& now) {
    to.gauge("sidecar_trouble", "1: the sidecar sees that this is wrong just now, as its admin page says.");
    for (std::size_t i = 0; i < enum_size<trouble>; ++i) {
        const auto what = static_cast<trouble>(i);
        const auto& present = now.seen->troubles.present();
        const bool there =
            std::any_of(present.begin(), present.end(), [what](const auto& each) { return each.found.what == what; });
        to.add(there ? 1.0 : 0.0, {{"trouble", word(to_string(what))}});
    }
}

// In the unit of what they limit.
double configured(limit which, const settings& current, std::size_t workers) {
    const auto& values = current.values;
    const auto seconds = [](std::chrono::milliseconds of) { return std::chrono::duration<double>(of).count(); };
    const auto number = [](std::size_t of) { return static_cast<double>(of); };
    switch (which) {
    case limit::connections:
        return number(current.connections_max * workers);
    case limit::header_bytes:
        return number(values.downstream.header_bytes_max);
    case limit::header_fields:
        return number(values.downstream.header_fields_max);
    case limit::target_bytes:
        return number(values.downstream.target_bytes_max);
    case limit::chunk_line:
        return number(values.downstream.chunk_line_bytes_max);
    case limit::trailer_bytes:
        return number(values.downstream.trailer_bytes_max);
    case limit::upstream_connections:
        return number(current.upstream_connections_max * workers);
    case limit::upstream_pending:
        return number(values.upstream.pending_max);
    case limit::queue_timeout:
        return seconds(values.upstream.queue_timeout);
    case limit::augment_body:
        return number(values.rules.augment_body_max);
    case limit::learn_body:
        return number(values.rules.learn_body_max);
    case limit::learn_entries:
        return number(values.rules.learn_entries_max);
    case limit::header_timeout:
        return seconds(values.downstream.header_timeout);
    case limit::body_timeout:
        return seconds(values.downstream.body_timeout);
    case limit::write_timeout:
        return seconds(values.downstream.write_timeout);
    case limit::response_timeout:
        return seconds(values.upstream.response_timeout);
    case limit::count_:
        break;
    }
    return 0;
}

void add_limits(families& to, const standing& now) {
    to.gauge("sidecar_configured_limit", "What the limits of sidecar_limits_hit_total are set to: a number, bytes, or "
                                         "seconds.");
    for (std::size_t i = 0; i < enum_size<limit>; ++i) {
        const auto which = static_cast<limit>(i);
        to.add(configured(which, *now.current, now.workers.size()), {{"limit", word(to_string(which))}});
    }
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
    add_table(all, now.workers, worker_table());
    add_table(all, *now.control, control_table());
    add_polls(all, now);
    add_readiness(all, now);
    add_program(all, now);
    add_troubles(all, now);
    add_limits(all, now);
    add_process(all, now.process);
    return prometheus::TextSerializer().Serialize(all.made());
}

} // namespace sidecar
