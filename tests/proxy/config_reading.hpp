// A text read as the configuration, for the tests: what it says, or what is wrong with it.
#pragma once

#include "proxy/config/load_config.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace config_reading {

// The text must be right.
sidecar::config read(std::string_view text);
// What is wrong with a text, without the file's name; empty: nothing.
std::string complaints(std::string_view text);
// Of a text that is right.
std::vector<std::string> warnings(std::string_view text);

// With options over the file, and what is wrong with those.
sidecar::config set(std::vector<std::string> options, std::string_view text = "{}");
std::string set_complaints(std::vector<std::string> options, std::string_view text = "{}");

} // namespace config_reading
