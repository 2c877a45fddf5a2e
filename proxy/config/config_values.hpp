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
text_fault url_fault(std::string_view);
text_fault file_fault(std::string_view);
text_fault file_or_none_fault(std::string_view);
text_fault socket_path_fault(std::string_view); // of a Unix socket
text_fault socket_path_or_none_fault(std::string_view);
text_fault host_name_fault(std::string_view);         // without a port
text_fault field_name_fault(std::string_view);        // RFC 9110 5.1
text_fault poll_field_name_fault(std::string_view);   // and none that the poll sets itself
text_fault answer_field_name_fault(std::string_view); // and none that a local reply sets itself
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

// A kind of text that keys take. `pattern` (of JSON Schema) refuses no text that `fault` takes; it may be looser.
struct text_form {
    text_fault (*fault)(std::string_view);
    std::string_view words;
    std::string_view pattern;
};
inline constexpr text_form url_text{url_fault, "a URL", "^https?://[^\\s#@]+$"};
inline constexpr text_form file_text{file_fault, "a file's path", "^.+$"};
inline constexpr text_form file_or_none_text{file_or_none_fault, "a file's path, or empty", "^.*$"};
inline constexpr text_form socket_path_or_none_text{socket_path_or_none_fault, "a socket's whole path, or empty",
                                                    "^(/.*)?$"};
inline constexpr text_form host_name_text{host_name_fault, "a host's name", "^[A-Za-z0-9_-][A-Za-z0-9._-]*$"};
inline constexpr text_form field_name_text{field_name_fault, "a field's name", "^[-A-Za-z0-9!#$%&'*+.^_`|~]+$"};
inline constexpr text_form poll_field_name_text{poll_field_name_fault, "a field's name", field_name_text.pattern};
inline constexpr text_form answer_field_name_text{answer_field_name_fault, "a field's name", field_name_text.pattern};
inline constexpr text_form field_value_text{field_value_fault, "a field's value", "^[^\\r\\n]+$"};
inline constexpr text_form secret_value_text{secret_value_fault, "a field's value", field_value_text.pattern};
inline constexpr text_form origin_text{origin_fault, "`*` or an origin", "^(\\*|[A-Za-z]+://[^/]+)$"};
inline constexpr text_form proto_text{proto_fault, "http, https or empty", "^(https?)?$"};
inline constexpr text_form prefix_text{prefix_fault, "a path, or empty", "^(/[A-Za-z0-9._~-]+)*$"};
inline constexpr text_form template_text{template_fault, "a path with at most one {id}",
                                         "^(/(\\{id\\}|[A-Za-z0-9_~-]+))+$"};
inline constexpr text_form parameter_text{parameter_fault, "a parameter's name", "^[A-Za-z0-9._~-]*$"};
inline constexpr text_form rule_name_text{rule_name_fault, "1 to 64 letters, digits and -._",
                                          "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"};
inline constexpr text_form method_text{method_fault, "a method", "^[^a-z\\s]+$"};
inline constexpr text_form member_text{member_fault, "1 to 64 letters, digits, - and _",
                                       "^[A-Za-z_-][A-Za-z0-9_-]{0,63}$"};

// For a message: short, and without what a terminal would obey.
std::string shown(std::string_view text);

// The one of `known` that `wrong` is probably a slip of, or empty.
std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& known);

} // namespace sidecar
