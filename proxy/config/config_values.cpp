#include "proxy/config/config_values.hpp"

#include "proxy/http/host.hpp"
#include "proxy/http/http_url.hpp"
#include "sidecar/message.hpp"

#include <arpa/inet.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <numeric>
#include <utility>

namespace sidecar {
namespace {

struct unit {
    std::string_view name;
    std::uint64_t factor;
};
constexpr std::array durations{unit{"ms", 1}, unit{"s", 1'000}, unit{"m", 60'000}, unit{"h", 3'600'000}};
constexpr std::array sizes{unit{"B", 1}, unit{"KiB", kib}, unit{"MiB", mib}, unit{"GiB", 1024 * mib}};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z'; }
bool is_alphanumeric(char c) { return is_digit(c) || is_letter(c); }
bool is_control(char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; }
bool is_one_of(char c, std::string_view chars) { return chars.find(c) != std::string_view::npos; }
bool is_token_char(char c) { return is_alphanumeric(c) || is_one_of(c, "!#$%&'*+-.^_`|~"); }

template <class Predicate>
bool all(std::string_view text, Predicate predicate) {
    return std::all_of(text.begin(), text.end(), predicate);
}

template <std::size_t N>
bool names_one_of(std::string_view name, const std::array<std::string_view, N>& names) {
    return std::any_of(names.begin(), names.end(), [name](std::string_view one) { return iequals(name, one); });
}

template <std::size_t N>
std::optional<std::uint64_t> read_quantity(std::string_view text, const std::array<unit, N>& units,
                                           std::uint64_t most) {
    const auto digits = static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_digit) - text.begin());
    const auto count = read_count(text.substr(0, digits));
    if (!count) return std::nullopt;
    for (const auto& one : units)
        if (text.substr(digits) == one.name) {
            if (*count > most / one.factor) return std::nullopt;
            return *count * one.factor;
        }
    return std::nullopt;
}

template <std::size_t N>
std::string print_quantity(std::uint64_t value, const std::array<unit, N>& units, const unit& of_zero) {
    if (value == 0) return "0" + std::string(of_zero.name);
    auto largest = units.rbegin();
    while (value % largest->factor != 0) ++largest;
    return std::to_string(value / largest->factor) + std::string(largest->name);
}

// An address, or a name that could be resolved. Digits and dots alone are meant as an address.
bool is_endpoint_host(const std::string& host, bool bracketed) {
    std::array<unsigned char, 16> address{};
    if (bracketed) return ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
    if (all(host, [](char c) { return is_digit(c) || c == '.'; }))
        return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1;
    return !host.empty() && host.size() <= 253 && !host.starts_with('.') && !is_odd_address(host) &&
           all(host, [](char c) { return is_alphanumeric(c) || is_one_of(c, "-._"); });
}

} // namespace

std::optional<milliseconds> read_duration(std::string_view text) {
    constexpr std::uint64_t ten_years = 10ULL * 365 * 24 * 3'600'000;
    const auto count = read_quantity(text, durations, ten_years);
    if (!count) return std::nullopt;
    return milliseconds(static_cast<milliseconds::rep>(*count));
}

std::string print_duration(milliseconds value) {
    return print_quantity(static_cast<std::uint64_t>(value.count()), durations, durations[1]);
}

std::optional<std::uint64_t> read_size(std::string_view text) { return read_quantity(text, sizes, 1ULL << 50); }

std::string print_size(std::uint64_t bytes) { return print_quantity(bytes, sizes, sizes[0]); }

std::optional<std::uint64_t> read_count(std::string_view text) {
    std::uint64_t count = 0;
    const char* end = text.data() + text.size();
    if (text.empty() || !is_digit(text.front())) return std::nullopt;
    const auto [stopped, ec] = std::from_chars(text.data(), end, count);
    if (ec != std::errc() || stopped != end) return std::nullopt;
    return count;
}

std::optional<double> read_number(std::string_view text) {
    double number = 0;
    const char* end = text.data() + text.size();
    if (text.empty() || !is_digit(text.front())) return std::nullopt; // no sign, no infinity
    const auto [stopped, ec] = std::from_chars(text.data(), end, number);
    if (ec != std::errc() || stopped != end || !std::isfinite(number)) return std::nullopt;
    return number;
}

std::string print_number(double number) {
    std::array<char, 32> text{};
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), number).ptr};
}

std::optional<endpoint> read_endpoint(std::string_view text) {
    const bool bracketed = text.starts_with('[');
    const auto colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    auto host = text.substr(0, colon);
    if (bracketed) {
        if (!host.ends_with(']')) return std::nullopt;
        host = host.substr(1, host.size() - 2);
    }
    const auto port = read_count(text.substr(colon + 1));
    if (!port || *port > 65535 || !is_endpoint_host(std::string(host), bracketed)) return std::nullopt;
    return endpoint{std::string(host), static_cast<std::uint16_t>(*port)};
}

std::optional<unsigned> read_file_mode(std::string_view text) {
    unsigned mode = 0;
    const char* end = text.data() + text.size();
    if (text.size() < 3 || text.size() > 4 || !is_digit(text.front())) return std::nullopt;
    const auto [stopped, ec] = std::from_chars(text.data(), end, mode, 8);
    if (ec != std::errc() || stopped != end || mode > 0777) return std::nullopt;
    return mode;
}

std::string print_file_mode(unsigned mode) {
    std::string text = "0000";
    for (auto digit = text.rbegin(); digit != text.rend(); ++digit, mode /= 8)
        *digit = static_cast<char>('0' + mode % 8);
    return text;
}

std::optional<std::string_view> read_unix_path(std::string_view text) {
    constexpr std::string_view scheme = "unix:";
    if (!text.starts_with(scheme)) return std::nullopt;
    return text.substr(scheme.size());
}

std::string print_endpoint(const endpoint& value) {
    if (!value.path.empty()) return "unix:" + value.path;
    const bool v6 = value.host.find(':') != std::string::npos;
    return (v6 ? "[" + value.host + "]" : value.host) + ":" + std::to_string(value.port);
}

text_fault url_fault(std::string_view text) {
    if (text.find(redacted) != std::string_view::npos) return "is redacted: write the query out";
    const auto url = parse_http_url(text);
    if (!url) return url.error().message;
    if (!is_host(url->host_field)) return "its host is neither a name nor an address";
    return std::nullopt;
}

text_fault file_fault(std::string_view text) {
    if (text.empty()) return "is empty";
    if (!all(text, [](char c) { return !is_control(c) && c != '\t'; })) return "holds control bytes";
    return std::nullopt;
}

text_fault file_or_none_fault(std::string_view text) { return text.empty() ? text_fault{} : file_fault(text); }

text_fault socket_path_fault(std::string_view text) {
    constexpr std::size_t most = sizeof(sockaddr_un::sun_path) - 1;
    if (auto fault = file_fault(text)) return fault;
    if (!text.starts_with('/')) return "a Unix socket is named by its whole path: unix:/run/dds/puma.sock";
    if (text.size() > most) return "a Unix socket's path is at most " + std::to_string(most) + " bytes long";
    return std::nullopt;
}

text_fault socket_path_or_none_fault(std::string_view text) {
    return text.empty() ? text_fault{} : socket_path_fault(text);
}

text_fault host_name_fault(std::string_view text) {
    if (!is_endpoint_host(std::string(text), false)) return "is no name of a host (without a port)";
    return std::nullopt;
}

text_fault field_name_fault(std::string_view text) {
    if (text.empty() || !all(text, is_token_char)) return "is no name of a header field";
    return std::nullopt;
}

text_fault poll_field_name_fault(std::string_view text) {
    constexpr std::array<std::string_view, 12> ours{
        "host",   "connection", "keep-alive", "content-length",  "transfer-encoding",
        "te",     "trailer",    "upgrade",    "accept-encoding", "if-none-match",
        "prefer", "range"};
    if (names_one_of(text, ours)) return "is a field that the poll sets itself, or not";
    return field_name_fault(text);
}

text_fault answer_field_name_fault(std::string_view text) {
    constexpr std::array<std::string_view, 11> ours{"connection",
                                                    "keep-alive",
                                                    "content-length",
                                                    "transfer-encoding",
                                                    "trailer",
                                                    "upgrade",
                                                    "content-type",
                                                    "content-encoding",
                                                    "date",
                                                    "retry-after",
                                                    "access-control-allow-origin"};
    if (names_one_of(text, ours)) return "is a field that an own answer sets itself, or not";
    return field_name_fault(text);
}

text_fault field_value_fault(std::string_view text) {
    if (text.empty()) return "is empty";
    if (text.size() > 8 * kib) return "is longer than 8KiB";
    if (!all(text, [](char c) { return !is_control(c); })) return "holds a line end or another control byte";
    if (is_one_of(text.front(), " \t") || is_one_of(text.back(), " \t")) return "begins or ends with a blank";
    return std::nullopt;
}

text_fault secret_value_fault(std::string_view text) {
    if (text == redacted) return "is redacted: write the value out or, better, name its file";
    return field_value_fault(text);
}

text_fault origin_fault(std::string_view text) {
    if (text == "*") return std::nullopt;
    const auto separator = text.find("://");
    const auto host = separator == std::string_view::npos ? std::string_view{} : text.substr(separator + 3);
    const auto scheme = text.substr(0, separator);
    if (host.empty() || scheme.empty() || !is_host(host) || !all(scheme, is_letter))
        return "is neither '*' nor an origin such as https://portal.example";
    return std::nullopt;
}

text_fault proto_fault(std::string_view text) {
    if (text.empty() || text == "http" || text == "https") return std::nullopt;
    return "must be http, https or empty";
}

text_fault prefix_fault(std::string_view text) {
    if (text.empty()) return std::nullopt;
    if (!text.starts_with('/')) return "must begin with '/'";
    if (text.ends_with('/')) return text.size() == 1 ? "'/' is spelled \"\" here" : "must not end with '/'";
    if (text.find("//") != std::string_view::npos) return "has an empty segment";
    if (!all(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "/-._~"); }))
        return "may hold letters, digits and -._~ only: it is compared with the target as it was sent";
    if (text.find("/./") != std::string_view::npos || text.find("/../") != std::string_view::npos ||
        text.ends_with("/.") || text.ends_with("/.."))
        return "has a dot segment: those are never resolved";
    return std::nullopt;
}

text_fault template_fault(std::string_view text) {
    if (!text.starts_with('/')) return "must begin with '/', below api.prefix";
    std::size_t ids = 0;
    auto rest = text;
    while (!rest.empty()) {
        rest.remove_prefix(1); // the slash
        const auto end = std::min(rest.find('/'), rest.size());
        const auto segment = rest.substr(0, end);
        rest.remove_prefix(end);
        if (segment.empty()) return "has an empty segment: slashes at the end or repeated match anyway";
        if (segment == "{id}") {
            if (++ids == 2) return "has more than one {id}";
        } else if (segment.find('.') != std::string_view::npos) {
            return "has a dot: what follows it is a suffix to the backend's router, and matches anyway";
        } else if (!all(segment, [](char c) { return is_alphanumeric(c) || is_one_of(c, "-_~"); })) {
            return "has a segment that is neither {id} nor made of letters, digits and -_~";
        }
    }
    return std::nullopt;
}

text_fault parameter_fault(std::string_view text) {
    if (!all(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "-._~"); }))
        return "is a parameter's name: letters, digits and -._~ only";
    return std::nullopt;
}

text_fault rule_name_fault(std::string_view text) {
    if (text.empty() || text.size() > 64 || !is_alphanumeric(text.front()) ||
        !all(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "-._"); }))
        return "must be 1 to 64 letters, digits and -._";
    if (text == "none") return "'none' is what the metrics call no rule";
    return std::nullopt;
}

text_fault method_fault(std::string_view text) {
    if (text.empty() || !all(text, is_token_char)) return "is no method";
    if (!std::none_of(text.begin(), text.end(), [](char c) { return c >= 'a' && c <= 'z'; })) {
        std::string upper(text);
        std::transform(upper.begin(), upper.end(), upper.begin(),
                       [](char c) { return is_letter(c) ? static_cast<char>(c & ~0x20) : c; });
        return "methods are case-sensitive, did you mean '" + shown(upper) + "'?";
    }
    if (text == "CONNECT") return "CONNECT is always refused";
    return std::nullopt;
}

text_fault member_fault(std::string_view text) {
    if (text.empty() || text.size() > 64 || is_digit(text.front()) ||
        !all(text, [](char c) { return is_alphanumeric(c) || is_one_of(c, "-_"); }))
        return "must be 1 to 64 letters, digits, '-' and '_', no digit first";
    if (text == "id") return "'id' names the entry, it is no boolean";
    return std::nullopt;
}

std::string shown(std::string_view text) {
    constexpr std::size_t most = 60;
    std::string out(text.substr(0, most));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return text.size() > most ? out + "..." : out;
}

std::string_view nearest(std::string_view wrong, const std::vector<std::string_view>& known) {
    // Optimal string alignment: a swap of neighbours is one slip, as is one letter more, less or other.
    const auto distance = [wrong](std::string_view right) {
        std::vector<std::size_t> before_last(right.size() + 1), last(right.size() + 1), row(right.size() + 1);
        std::iota(row.begin(), row.end(), std::size_t{0});
        for (std::size_t i = 1; i <= wrong.size(); ++i) {
            before_last = std::exchange(last, row);
            row[0] = i;
            for (std::size_t j = 1; j <= right.size(); ++j) {
                const bool same = wrong[i - 1] == right[j - 1];
                row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1)});
                if (i > 1 && j > 1 && wrong[i - 1] == right[j - 2] && wrong[i - 2] == right[j - 1])
                    row[j] = std::min(row[j], before_last[j - 2] + 1);
            }
        }
        return row.back();
    };
    if (wrong.size() > 64) return {};
    std::string_view best;
    std::size_t least = wrong.size() / 3 + 2; // a third of its letters may be wrong, and one more
    for (const auto one : known)
        if (const auto slips = distance(one); slips < least && slips < one.size()) {
            least = slips;
            best = one;
        }
    return best;
}

} // namespace sidecar
