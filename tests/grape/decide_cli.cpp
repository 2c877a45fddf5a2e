// Reads requests, one `METHOD TARGET` a line, and says of each what the rules take it for: `RULE ID`, with `-` for
// none. For the comparison with the legacy API's own router.
#include "sidecar/rules.hpp"

#include <array>
#include <iostream>
#include <string>

int main() {
    using namespace sidecar;
    const rules_config config;
    const rule_table rules(config, "/internal/consistency");
    const readiness nothing_known;
    const std::array<field_line, 1> fields{{{"Authorization", "a token", "Authorization: a token\r\n"}}};

    for (std::string line; std::getline(std::cin, line);) {
        const auto space = line.find(' ');
        if (space == std::string::npos) return 2;
        const request_view request{std::string_view(line).substr(0, space), std::string_view(line).substr(space + 1),
                                   fields};
        const auto decided = rules.decide(request, nothing_known, time_point{});
        std::string name = "-";
        if (decided.reason == reason::status_path)
            name = "status_path";
        else if (decided.rule != decision::no_rule)
            name = config.rules[decided.rule].name;
        std::cout << name << ' ' << (decided.id ? to_string(*decided.id) : "-") << '\n';
    }
}
