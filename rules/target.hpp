// A request's target, read as the backend reads it (docs/behaviour.md 3): Rails' and Grape's router the path, Rack the
// query. What is forwarded is the target as sent; nothing here changes it. Nothing is copied either: the parts are
// looked at one by one and decoded byte by byte while they are compared, so that a target of any length costs no
// memory.
#pragma once

#include "sidecar/uuid.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace sidecar {

class target {
public:
    explicit target(std::string_view as_sent) noexcept; // in origin form

    std::string_view path() const noexcept { return path_; }
    std::string_view query() const noexcept { return query_; } // without the question mark

    // Whether a parameter of this name is there, with or without a value.
    bool has_flag(std::string_view name) const noexcept;

private:
    std::string_view path_;
    std::string_view query_;
};

// What stands between the slashes of a path, as sent. Rails squeezes repeated slashes and cuts the trailing one before
// its router looks, so no part is ever empty.
class path_parts {
public:
    explicit path_parts(std::string_view path) noexcept : rest_(path) {}

    // The next part; empty at the end.
    std::string_view next() noexcept;

private:
    std::string_view rest_;
};

// The byte that stands at text[at], and how many bytes it takes there. A `%` that begins no escape stands for itself.
struct decoded_byte {
    char value;
    std::size_t length;
};
std::optional<char> decode_escape(std::string_view text, std::size_t at) noexcept;

inline decoded_byte decode_at(std::string_view text, std::size_t at) noexcept {
    if (text[at] != '%') return {text[at], 1};
    const auto escaped = decode_escape(text, at);
    return escaped ? decoded_byte{*escaped, 3} : decoded_byte{'%', 1};
}

// The backend takes one suffix (`.json`, `.foo`) behind the last part of a path as the format that is wanted.
enum class suffix : std::uint8_t { none, allowed };

// Whether a part, its escapes decoded, is this word.
bool spells(std::string_view part, std::string_view word, suffix) noexcept;

// What a router takes as the id from a part that it holds for one: as sent, without the suffix. Empty: no id to it, and
// the path is no match.
std::string_view id_within(std::string_view part, suffix) noexcept;

// A UUID with any of its characters percent-encoded.
std::optional<uuid> parse_encoded_uuid(std::string_view text) noexcept;

} // namespace sidecar
