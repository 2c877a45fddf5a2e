// Tokens (RFC 9110 5.6.2), the lists that fields hold of them (5.6.1), and the blanks around them.
#pragma once

#include "sidecar/message.hpp"

#include <algorithm>
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

constexpr bool is_token(std::string_view text) noexcept {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_token_char);
}

constexpr bool is_blank(char c) noexcept { return c == ' ' || c == '\t'; }

constexpr std::string_view trim_blanks(std::string_view text) noexcept {
    while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
    while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
    return text;
}

// Takes the next element, without blanks around it, off a list that is not empty.
constexpr std::string_view take_element(std::string_view& list) noexcept {
    const auto comma = std::min(list.find(','), list.size());
    const auto element = trim_blanks(list.substr(0, comma));
    list.remove_prefix(std::min(comma + 1, list.size()));
    return element;
}

constexpr bool has_element(std::string_view list, std::string_view wanted) noexcept {
    while (!list.empty())
        if (iequals(take_element(list), wanted)) return true;
    return false;
}

// As servers behind CGI-like names compare field names: `_` is `-`. `lower` has no capitals.
constexpr bool is_named_like(std::string_view name, std::string_view lower) noexcept {
    return std::equal(name.begin(), name.end(), lower.begin(), lower.end(),
                      [](char a, char b) { return (a == '_' ? '-' : ascii_lower(a)) == b; });
}

} // namespace sidecar
