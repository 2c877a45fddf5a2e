// What foreign suites and real clients found, line by line: one exchange each through whatever listens on a port, and
// what becomes of it, in a few words for a table.
#pragma once

#include "tests/harness/listener.hpp"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace peers {

struct line {
    std::string name;
    std::string wanted; // of the sidecar
    std::function<std::string(std::uint16_t proxy, harness::listener& backend)> observe;
};

// In front of them the proxies keep connections to the backend, and set X-Forwarded-For.
const std::vector<line>& lines();

} // namespace peers
