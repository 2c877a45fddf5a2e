// How single values are spelled in the configuration file: reading, printing, and what is wrong with a text. Pure.
#pragma once

#include "sidecar/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

// 250ms, 10s, 2m, 1h: a whole number and its unit. nullopt: spelled otherwise, or more than 10 years.
std::optional<milliseconds> read_duration(std::string_view text);
std::string print_duration(milliseconds); // in the largest unit that needs no fraction

// 512B, 64KiB, 1MiB, 2GiB.
std::optional<std::uint64_t> read_size(std::string_view text);
std::string print_size(std::uint64_t bytes);

std::optional<std::uint64_t> read_count(std::string_view text); // decimal digits
std::optional<double> read_number(std::string_view text);       // 0.25, 3
std::string print_number(double);

// "0660": octal digits.
std::optional<unsigned> read_file_mode(std::string_view text);
std::string print_file_mode(unsigned);

// 127.0.0.1:3000, [::1]:3000, backend.example:3000.
std::optional<endpoint> read_endpoint(std::string_view text);
// What stands behind "unix:"; nullopt: it is no Unix socket.
std::optional<std::string_view> read_unix_path(std::string_view text);
std::string print_endpoint(const endpoint&); // of either kind

// Instead of what may be a secret. No value that is read may look like it: it was printed, not meant.
inline constexpr std::string_view redacted = "<redacted>";

// What is wrong with a text, in words that follow its key's name, or nullopt.
using text_fault = std::optional<std::string>;
using text_check = text_fault (*)(std::string_view);
text_fault url_fault(std::string_view);
text_fault file_fault(std::string_view);
text_fault socket_path_fault(std::string_view);       // of a Unix socket
text_fault host_name_fault(std::string_view);         // without a port
text_fault field_name_fault(std::string_view);        // RFC 9110 5.1
text_fault poll_field_name_fault(std::string_view);   // and none that the poll sets itself
text_fault answer_field_name_fault(std::string_view); // and none that an own answer sets itself
text_fault field_value_fault(std::string_view);
text_fault secret_value_fault(std::string_view);
text_fault origin_fault(std::string_view); // of Access-Control-Allow-Origin
text_fault proto_fault(std::string_view);  // of X-Forwarded-Proto
text_fault prefix_fault(std::string_view);
text_fault template_fault(std::string_view);
text_fault parameter_fault(std::string_view);
text_fault rule_name_fault(std::string_view);
text_fault method_fault(std::string_view);
text_fault member_fault(std::string_view); // of a collection or of a boolean of its entries

// For a message: short, and without what a terminal would obey.
std::string shown(std::string_view text);

// The one of `known` that `wrong` is probably a slip of, or empty.
std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& known);

} // namespace sidecar
