#include "proxy/http/host.hpp"

#include "sidecar/message.hpp"

#include <algorithm>
#include <arpa/inet.h>

namespace sidecar {

namespace {

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }
bool is_hex(char c) noexcept { return is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'f'); }

bool is_name_char(char c) noexcept {
    if (is_digit(c) || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z')) return true;
    return c != '\0' && std::string_view("-._~!$&'()*+;=").find(c) != std::string_view::npos;
}

bool is_port(std::string_view digits) noexcept { // may be empty
    unsigned value = 0;
    for (const char c : digits) {
        if (!is_digit(c)) return false;
        value = value * 10 + static_cast<unsigned>(c - '0');
        if (value > 65535) return false;
    }
    return true;
}

bool is_ipv6(std::string_view text) noexcept {
    char copy[INET6_ADDRSTRLEN] = {}; // as C wants it, ended by a zero
    if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return false;
    std::copy(text.begin(), text.end(), copy);
    in6_addr address{};
    return inet_pton(AF_INET6, copy, &address) == 1;
}

// IPvFuture: "v" 1*HEXDIG "." 1*( unreserved / sub-delims / ":" )
bool is_future_address(std::string_view text) noexcept {
    if (text.empty() || ascii_lower(text.front()) != 'v') return false;
    const auto dot = text.find('.');
    if (dot == std::string_view::npos || dot == 1 || dot + 1 == text.size()) return false;
    const auto version = text.substr(1, dot - 1);
    const auto rest = text.substr(dot + 1);
    return std::all_of(version.begin(), version.end(), is_hex) &&
           std::all_of(rest.begin(), rest.end(), [](char c) { return c == ':' || c == ',' || is_name_char(c); });
}

bool is_address_literal(std::string_view inside) noexcept { return is_ipv6(inside) || is_future_address(inside); }

bool is_name(std::string_view name) noexcept {
    for (std::size_t i = 0; i < name.size(); ++i) {
        if (name[i] == '%') {
            if (i + 2 >= name.size() || !is_hex(name[i + 1]) || !is_hex(name[i + 2])) return false;
            i += 2;
        } else if (!is_name_char(name[i])) {
            return false;
        }
    }
    return true;
}

} // namespace

bool is_host(std::string_view text) noexcept {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        if (end == std::string_view::npos || !is_address_literal(text.substr(1, end - 1))) return false;
        const auto rest = text.substr(end + 1);
        return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
    }
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return is_name(text);
    return colon > 0 && is_name(text.substr(0, colon)) && is_port(text.substr(colon + 1));
}

} // namespace sidecar
