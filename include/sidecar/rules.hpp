// Decides what is to be done with a request. Pure: no I/O, no clock, no lock; safe to share between threads.
#pragma once

#include "sidecar/action.hpp"
#include "sidecar/config.hpp"
#include "sidecar/message.hpp"
#include "sidecar/readiness.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace sidecar {

class rule_table {
public:
    // From a checked configuration: paths are templates with at most one {id}, names are unique (proxy/config sees to
    // that and names the line). Copies what it needs. `status_path`: the target's path of status.url if it lies on the
    // backend that clients are proxied to and is not exposed; empty otherwise. Requests for it, in any spelling that
    // a router might take for it, are refused with 404.
    explicit rule_table(const rules_config&, std::string_view status_path = {});
    ~rule_table();
    rule_table(rule_table&&) noexcept;
    rule_table& operator=(rule_table&&) noexcept;

    decision decide(const request_view&, const readiness&, time_point now) const;

    // The collections and members that the rules name, in the order of first mention.
    const schema& needs() const noexcept;

    // What a response to a request that rule `index` (a learn rule) selected teaches about `id`.
    learned_entry lesson(std::size_t index, const uuid& id, time_point now) const;

private:
    struct compiled;
    std::unique_ptr<const compiled> compiled_;
};

// A rule that no request can reach, as an earlier one selects all that it would. Indices into the rules given.
struct hidden_rule {
    std::size_t rule;
    std::size_t by;
};
std::vector<hidden_rule> hidden_rules(const std::vector<rule>&);

} // namespace sidecar
