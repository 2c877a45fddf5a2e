// Finds rules that stand behind another one which selects the same requests and more.
#include "rules/target.hpp"
#include "sidecar/rules.hpp"

#include <algorithm>

namespace sidecar {
namespace {

// A rule for GET takes HEAD too, unless it learns.
bool takes_head(const rule& one) {
    return one.method == "HEAD" || (one.method == "GET" && !std::holds_alternative<learn_rule>(one.action));
}

bool methods_covered(const rule& by, const rule& one) {
    if (by.method == one.method) return takes_head(by) || !takes_head(one);
    return one.method == "HEAD" && takes_head(by);
}

bool path_covered(std::string_view by, std::string_view one) {
    path_parts wider(by), narrower(one);
    for (;;) {
        const auto wide = wider.next(), narrow = narrower.next();
        if (wide.empty() || narrow.empty()) return wide.empty() && narrow.empty();
        if (wide != narrow && wide != "{id}") return false;
    }
}

bool covers(const rule& by, const rule& one) {
    return methods_covered(by, one) && (by.query.empty() || by.query == one.query) && path_covered(by.path, one.path);
}

} // namespace

std::vector<hidden_rule> hidden_rules(const std::vector<rule>& rules) {
    std::vector<hidden_rule> hidden;
    for (auto one = rules.begin(); one != rules.end(); ++one) {
        const auto by = std::find_if(rules.begin(), one, [&](const rule& earlier) { return covers(earlier, *one); });
        if (by != one)
            hidden.push_back(
                {static_cast<std::size_t>(one - rules.begin()), static_cast<std::size_t>(by - rules.begin())});
    }
    return hidden;
}

} // namespace sidecar
