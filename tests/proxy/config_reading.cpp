#include "tests/proxy/config_reading.hpp"

#include <doctest/doctest.h>

#include <sstream>
#include <utility>

namespace config_reading {

using namespace sidecar;

config read(std::string_view text) {
    auto got = read_config(text, "f");
    REQUIRE_MESSAGE(got.has_value(), got.error().message);
    return *got;
}

std::string complaints(std::string_view text) {
    const auto read = read_config(text, "f");
    if (read) return "";
    std::string all;
    std::istringstream lines(read.error().message);
    for (std::string line; std::getline(lines, line);) {
        REQUIRE(line.starts_with("f:"));
        all.append(all.empty() ? "" : "\n").append(line.substr(2));
    }
    return all;
}

std::vector<std::string> warnings(std::string_view text) {
    std::vector<std::string> all;
    const auto got = read_config(text, "f", {}, &all);
    REQUIRE_MESSAGE(got.has_value(), got.error().message);
    return all;
}

config set(std::vector<std::string> options, std::string_view text) {
    auto got = read_config(text, "f", {std::move(options), {}});
    REQUIRE_MESSAGE(got.has_value(), got.error().message);
    return *got;
}

std::string set_complaints(std::vector<std::string> options, std::string_view text) {
    const auto got = read_config(text, "f", {std::move(options), {}});
    return got ? "" : got.error().message;
}

} // namespace config_reading
