#include "proxy/control_plane/rule_sums.hpp"

#include <algorithm>

namespace sidecar {
namespace {

rule_sums count(std::size_t row, const worker_list& workers) {
    rule_sums total;
    for (const auto* worker : workers) {
        const auto& counted = worker->rules[row];
        for (std::size_t kind = 0; kind < enum_size<action_kind>; ++kind)
            for (std::size_t code = 0; code < worker_metrics::codes; ++code)
                total.requests[kind][code] += counted.requests[kind][code].get();
        total.duration.add(counted.duration);
    }
    return total;
}

} // namespace

std::uint64_t rule_sums::with_code(std::size_t first, std::size_t last) const {
    std::uint64_t total = 0;
    for (const auto& of_action : requests)
        for (auto code = first; code <= last; ++code) total += of_action[code];
    return total;
}

void rule_rows::name(const std::vector<rule>& rules, const worker_list& workers) {
    std::vector<std::string> names;
    for (std::size_t i = 0; i < std::min(rules.size(), worker_metrics::rules_max); ++i) names.push_back(rules[i].name);
    for (std::size_t row = 0; row < worker_metrics::rules_max; ++row) {
        const auto before = row < names_.size() ? names_[row] : std::string();
        const auto now = row < names.size() ? names[row] : std::string();
        if (before != now) before_[row] = count(row, workers);
    }
    names_ = std::move(names);
}

rule_sums rule_rows::of(std::size_t row, const worker_list& workers) const {
    auto total = count(row, workers);
    const auto& before = before_[row];
    for (std::size_t kind = 0; kind < enum_size<action_kind>; ++kind)
        for (std::size_t code = 0; code < worker_metrics::codes; ++code)
            total.requests[kind][code] -= before.requests[kind][code];
    for (std::size_t i = 0; i < total.duration.buckets.size(); ++i)
        total.duration.buckets[i] -= before.duration.buckets[i];
    total.duration.count -= before.duration.count;
    total.duration.seconds -= before.duration.seconds;
    return total;
}

} // namespace sidecar
