// The configuration file, strictly: what it does not know or does not understand is an error. All of a file's errors
// are told at once, a line each: `sidecar.yaml:12:3: unknown key 'timeot', did you mean 'timeout'?`
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/result.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

// What comes over what the file says.
struct overrides {
    using variables = std::map<std::string, std::string, std::less<>>;
    std::vector<std::string> set; // KEY=VALUE, such as upstream.address=127.0.0.1:3000
    variables environment;        // for ${NAME} in values
};

// What the text does not mention has its default. `file_name` is for the messages. What is right and yet not as it
// should be (deprecated) is appended to `warnings`, a line each.
result<config> read_config(std::string_view text, std::string_view file_name, const overrides& = {},
                           std::vector<std::string>* warnings = nullptr);

result<config> load_config(const std::filesystem::path&, const overrides& = {},
                           std::vector<std::string>* warnings = nullptr);

// What of it is right, whatever else is wrong with it, and what the options say: for whoever looks for the sidecar that
// was started with it when it was whole. Fails on options that are wrong themselves.
result<config> load_what_is_right(const std::filesystem::path&, const overrides& = {});

// For whoever checks a file before it is used: rules that no request reaches, files that are not there (yet).
std::vector<std::string> doubts_about(const config&);

// YAML that read_config reads back to the same. What may be a secret (values of status.headers, a query in status.url)
// is `<redacted>`, which can't be read back.
std::string print_config(const config&);
std::string print_rules(std::vector<rule>); // as the list that it would be there

} // namespace sidecar
