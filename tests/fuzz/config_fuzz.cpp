// The configuration file: any bytes give a configuration or errors, each with its place. What is taken is printed and
// read back to the same, and the rule table can be made from it.
#include "proxy/config/load_config.hpp"
#include "sidecar/rules.hpp"

#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <string>
#include <string_view>

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

void expect_places(const std::string& message, std::string_view begin = "f:") {
    std::istringstream lines(message);
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count)
        expect(line.starts_with(begin) || line.starts_with("f: and "));
    expect(count > 0);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(reinterpret_cast<const char*>(data), size);
    const auto over = sidecar::read_config("{}", "f", {{text}, {}}); // as an option
    if (!over) expect_places(over.error().message, "--set ");

    const auto read = sidecar::read_config(text, "f", {{}, {{"A", text.substr(0, 64)}}});
    if (!read) {
        expect_places(read.error().message);
        return 0;
    }
    const sidecar::rule_table table(read->rules);
    const auto printed = sidecar::print_config(*read);
    if (printed.find("<redacted>") != std::string::npos) return 0;
    const auto again = sidecar::read_config(printed, "f");
    expect(again.has_value());
    expect(sidecar::print_config(*again) == printed);
    return 0;
}
