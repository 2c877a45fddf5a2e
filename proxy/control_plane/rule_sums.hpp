// What the workers counted for one rule. Their rows go by a rule's place in the configuration; after a reload another
// rule may stand there, and its count begins at nought.
#pragma once

#include "proxy/control_plane/sums.hpp"
#include "sidecar/config.hpp"

#include <array>
#include <string>
#include <vector>

namespace sidecar {

struct rule_sums {
    std::array<std::array<std::uint64_t, worker_metrics::codes>, enum_size<action_kind>> requests{};
    summed_histogram duration;

    std::uint64_t with_code(std::size_t first, std::size_t last) const; // of all actions
};

class rule_rows {
public:
    static constexpr std::size_t none = worker_metrics::rules_max; // of requests that no rule selected

    // At the start and after each reload: rows that another rule takes over begin anew.
    void name(const std::vector<rule>&, const worker_list&);

    rule_sums of(std::size_t row, const worker_list&) const;

private:
    std::vector<std::string> names_;
    std::array<rule_sums, worker_metrics::rules_max + 1> before_; // what was counted for others
};

} // namespace sidecar
