#include "proxy/control_plane/summary.hpp"

#include "proxy/control_plane/name_lookup.hpp"
#include "proxy/control_plane/sums.hpp"
#include "proxy/json/json_writer.hpp"

#include "sidecar/version.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

namespace sidecar {
namespace {

std::string count(std::uint64_t n) { // 1 234 567: with no-break spaces
    std::string digits = std::to_string(n);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), "\u202f");
    return digits;
}

std::string size(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    const char* const units[] = {"KiB", "MiB", "GiB", "TiB"};
    auto scaled = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; scaled >= 1024 && unit + 1 < std::size(units); ++unit) scaled /= 1024;
    return fmt::format("{:.1f} {}", scaled, units[unit]);
}

std::string span(double seconds) {
    if (seconds < 1) return fmt::format("{:.3g} ms", seconds * 1000);
    if (seconds < 120) return fmt::format("{:.1f} s", seconds);
    if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
    if (seconds < 172'800) return fmt::format("{:.1f} h", seconds / 3600);
    return fmt::format("{:.1f} d", seconds / 86'400);
}

double seconds_between(time_point from, time_point to) { return std::chrono::duration<double>(to - from).count(); }

// Within the bucket that holds it, as if its values were spread evenly: what histogram_quantile() does.
std::string quantile(const summed_histogram& of, double q) {
    if (of.count == 0) return "-";
    const double wanted = q * static_cast<double>(of.count);
    double below = 0;
    for (std::size_t i = 0; i < histogram::bounds.size(); ++i) {
        const auto here = static_cast<double>(of.buckets[i]);
        if (below + here >= wanted && here > 0) {
            const double from = i == 0 ? 0 : histogram::bounds[i - 1];
            return span(from + (histogram::bounds[i] - from) * (wanted - below) / here);
        }
        below += here;
    }
    return "> " + span(histogram::bounds.back());
}

// Of all rules and of none, since the start.
std::uint64_t all_requests(const standing& now, std::size_t first_code, std::size_t last_code) {
    const rule_rows from_the_start;
    std::uint64_t total = 0;
    for (std::size_t row = 0; row <= rule_rows::none; ++row)
        total += from_the_start.of(row, now.workers).with_code(first_code, last_code);
    return total;
}

summed_histogram all_durations(const standing& now) {
    summed_histogram total;
    for (const auto* worker : now.workers)
        for (const auto& row : worker->rules) total.add(row.duration);
    return total;
}

constexpr std::size_t closed = 0, success = 2, redirect = 3, client_error = 4, server_error = 5;

// The worst comes first.
std::pair<health, std::string> judge(const standing& now) {
    if (now.draining) return {health::degraded, "draining: ending as asked"};
    if (!now.not_ready.empty()) return {health::bad, "not ready: " + now.not_ready};
    if (!now.reload_failure.empty())
        return {health::degraded, "the new configuration can't be used; the one before is in force"};
    if (!now.known->fresh(now.now))
        return {health::degraded, "readiness is unknown: no good poll within status.max_age"};
    if (now.poll.failed) return {health::degraded, "status polls fail"};
    return {health::good, "healthy"};
}

std::string poll_words(const standing& now) {
    if (!now.poll.tried) return "not yet tried";
    if (now.poll.failed)
        return fmt::format("failed {} in a row, {}: {}", now.poll.failures, to_string(*now.poll.failed),
                           now.poll.failure);
    return now.poll.backend_holds ? "good; the backend holds them until something changes" : "good";
}

std::string upstream_words(const standing& now) {
    const auto& address = now.current->values.upstream.address;
    auto text = address.host + ":" + std::to_string(address.port);
    if (now.current->upstream_addresses.empty()) return text + ", which does not resolve";
    const auto first = to_string(now.current->upstream_addresses.front());
    return first == text ? text : text + " (" + first + ")";
}

figure_table by_rule(const standing& now) {
    figure_table table{"rules", {"Rule", "Requests", "2xx", "3xx", "4xx", "5xx", "Closed", "Median", "p99"}, {}};
    const auto add = [&](std::size_t row, const std::string& name) {
        const auto sums = now.rows->of(row, now.workers);
        const auto of = [&](std::size_t first, std::size_t last) { return count(sums.with_code(first, last)); };
        const auto key = "rule" + std::to_string(row);
        table.rows.push_back({name,
                              {{key + ".all", of(closed, server_error)},
                               {key + ".2xx", of(success, success)},
                               {key + ".3xx", of(redirect, redirect)},
                               {key + ".4xx", of(client_error, client_error)},
                               {key + ".5xx", of(server_error, server_error)},
                               {key + ".closed", of(closed, closed)},
                               {key + ".p50", quantile(sums.duration, 0.5)},
                               {key + ".p99", quantile(sums.duration, 0.99)}}});
    };
    const auto& rules = now.current->values.rules.rules;
    for (std::size_t i = 0; i < std::min(rules.size(), worker_metrics::rules_max); ++i) add(i, rules[i].name);
    add(worker_metrics::rules_max, "(no rule)");
    return table;
}

figure_table decisions(const standing& now) {
    figure_table table{"decisions", {"Decision", "Requests"}, {}};
    constexpr std::pair<reason, const char*> shown[] = {{reason::not_ready, "gate closed: not ready"},
                                                        {reason::ready, "gate open: ready"},
                                                        {reason::unknown, "readiness unknown: as the rule says"},
                                                        {reason::field_missing, "passed the gate: no Authorization"},
                                                        {reason::augmented, "info asked for and known"},
                                                        {reason::learning, "forwarded, to learn from the answer"},
                                                        {reason::id_is_no_uuid, "forwarded: the id is no UUID"},
                                                        {reason::method_override, "forwarded: X-HTTP-Method-Override"},
                                                        {reason::no_rule, "forwarded: no rule"},
                                                        {reason::status_path, "refused: the status endpoint"}};
    for (const auto& [which, words] : shown) {
        const auto i = static_cast<std::size_t>(which);
        const auto total = sum(
            now.workers, [i](auto& w) -> auto& { return w.reasons[i]; });
        table.rows.push_back({words, {{"reason." + std::string(to_string(which)), count(total)}}});
    }
    return table;
}

figure_table augmenting(const standing& now) {
    figure_table table{"augmenting", {"Answer", "Count"}, {}};
    table.rows.push_back({"info added", {{"augmented", count(sum(now.workers, &worker_metrics::augmented))}}});
    for (std::size_t i = 0; i < enum_size<not_augmented>; ++i) {
        const auto total = sum(
            now.workers, [i](auto& w) -> auto& { return w.not_augmented[i]; });
        const auto why = std::string(to_string(static_cast<not_augmented>(i)));
        table.rows.push_back({"as it came: " + why, {{"not_augmented." + why, count(total)}}});
    }
    table.rows.push_back({"304, answered here",
                          {{"not_modified", count(sum(
                                                now.workers, [](auto& w) -> auto& { return w.not_modified; }))}}});
    return table;
}

figure_table limits(const standing& now) {
    figure_table table{"limits", {"Limit", "Hit"}, {}};
    for (std::size_t i = 0; i < enum_size<limit>; ++i) {
        const auto word = std::string(to_string(static_cast<limit>(i)));
        const auto total = sum(
            now.workers, [i](auto& w) -> auto& { return w.limits_hit[i]; });
        table.rows.push_back({word, {{"limit." + word, count(total)}}});
    }
    return table;
}

figure_table collections(const standing& now) {
    figure_table table{"collections", {"Collection", "Listed", "Not ready"}, {}};
    for (const auto& each : now.poll.collections) {
        std::string not_ready;
        for (const auto& [member, n] : each.not_ready)
            not_ready += (not_ready.empty() ? "" : ", ") + member + " " + count(n);
        const auto key = "collection." + each.name;
        table.rows.push_back(
            {each.name, {{key + ".listed", count(each.listed)}, {key + ".not_ready", std::move(not_ready)}}});
    }
    return table;
}

std::string layout(const std::vector<figure_table>& tables) {
    std::string labels;
    for (const auto& table : tables)
        for (const auto& row : table.rows) labels += table.key + '/' + row.label + '\n';
    return fmt::format("{:x}", std::hash<std::string>{}(labels));
}

} // namespace

std::string_view to_string(health value) noexcept {
    switch (value) {
    case health::degraded:
        return "degraded";
    case health::bad:
        return "bad";
    case health::good:
        break;
    }
    return "good";
}

summary summarize(const standing& now) {
    const auto [level, words] = judge(now);
    const auto took = all_durations(now);
    const auto upstream = sum_histograms(
        now.workers, [](auto& w) -> auto& { return w.upstream_response; });
    const auto of = [&now](auto which) {
        return count(sum(
            now.workers, [which](auto& w) -> auto& { return w.*which; }));
    };
    const auto& known = *now.known;
    using m = worker_metrics;

    summary all;
    all.health = level;
    all.figures = {
        {"health", words},
        {"version", std::string(version())},
        {"uptime", span(seconds_between(now.started, now.now))},
        {"requests", count(all_requests(now, closed, server_error))},
        {"errors", count(all_requests(now, server_error, server_error))},
        {"p50", quantile(took, 0.5)},
        {"p99", quantile(took, 0.99)},
        {"gate.closed",
         count(sum(
             now.workers, [](auto& w) -> auto& { return w.reasons[static_cast<std::size_t>(reason::not_ready)]; }))},
        {"learned", of(&m::learned)},
        {"clients.open", of(&m::connections_open)},
        {"clients.accepted", of(&m::connections_accepted)},
        {"clients.refused", of(&m::connections_refused)},
        {"clients.aborts", of(&m::client_aborts)},
        {"bytes.in", size(sum(
                         now.workers, [](auto& w) -> auto& { return w.bytes_from_clients; }))},
        {"bytes.out", size(sum(
                          now.workers, [](auto& w) -> auto& { return w.bytes_to_clients; }))},
        {"upstream", upstream_words(now)},
        {"upstream.open", of(&m::upstream_open)},
        {"upstream.idle", of(&m::upstream_idle)},
        {"upstream.connects", of(&m::upstream_connects)},
        {"upstream.connect_failures", of(&m::upstream_connect_failures)},
        {"upstream.reuses", of(&m::upstream_reuses)},
        {"upstream.retries", of(&m::upstream_retries)},
        {"upstream.failures", of(&m::upstream_failures)},
        {"upstream.p50", quantile(upstream, 0.5)},
        {"upstream.p99", quantile(upstream, 0.99)},
        {"readiness", known.fresh(now.now) ? "fresh" : "unknown"},
        {"readiness.age",
         known.document ? span(seconds_between(known.answered_at, now.now)) : "never polled with success"},
        {"readiness.max_age", span(std::chrono::duration<double>(known.max_age).count())},
        {"readiness.bytes", size(now.poll.document_bytes)},
        {"readiness.learned", count(known.recent ? known.recent->entries.size() : 0)},
        {"poll", poll_words(now)},
        {"poll.took", now.poll.tried ? span(std::chrono::duration<double>(now.poll.last_took).count()) : "-"},
        {"polls.ok", count(now.control->polls_ok.get())},
        {"polls.not_modified", count(now.control->polls_not_modified.get())},
        {"polls.failed", count(now.control->polls_failed.get())},
        {"reload", now.reload_failure.empty() ? "in force" : now.reload_failure},
        {"log.dropped", count(now.log_lines_dropped)},
        {"workers", count(now.workers.size())},
        {"process.resident", size(now.process.resident_bytes)},
        {"process.cpu", span(now.process.cpu_seconds)},
        {"process.descriptors", count(now.process.open_descriptors) + " of " + count(now.process.descriptors_max)},
    };
    all.tables = {by_rule(now), decisions(now), augmenting(now), limits(now), collections(now)};
    all.layout = layout(all.tables);
    return all;
}

std::string summary_json(const standing& now) {
    const auto all = summarize(now);
    const auto took = all_durations(now);
    json_writer out;
    out.open('{').member("health", to_string(all.health)).member("layout", all.layout);
    // What the plots are made of: differences from one look to the next.
    out.name("counters").open('{');
    out.member("seconds", seconds_between(now.started, now.now));
    out.member("requests", all_requests(now, closed, server_error));
    out.member("errors", all_requests(now, server_error, server_error));
    out.name("bounds").open('[');
    for (const auto bound : histogram::bounds) out.value(bound);
    out.close(']').name("buckets").open('[');
    for (const auto n : took.buckets) out.value(n);
    out.close(']').close('}');
    out.name("figures").open('{');
    for (const auto& each : all.figures) out.member(each.key, each.text);
    for (const auto& table : all.tables)
        for (const auto& row : table.rows)
            for (const auto& cell : row.cells) out.member(cell.key, cell.text);
    out.close('}').close('}');
    return out.text() + "\n";
}

} // namespace sidecar
