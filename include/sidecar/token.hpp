// What a token is made of (RFC 9110 5.6.2): methods, field names, connection options.
#pragma once

#include <array>
#include <string_view>

namespace sidecar {

inline constexpr auto token_chars = [] {
    std::array<bool, 256> is{};
    for (unsigned c = '0'; c <= '9'; ++c) is[c] = true;
    for (unsigned c = 'a'; c <= 'z'; ++c) is[c] = is[c - 'a' + 'A'] = true;
    for (const unsigned char c : std::string_view("!#$%&'*+-.^_`|~")) is[c] = true;
    return is;
}();

constexpr bool is_token_char(char c) noexcept { return token_chars[static_cast<unsigned char>(c)]; }

} // namespace sidecar
