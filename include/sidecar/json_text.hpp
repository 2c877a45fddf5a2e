// A text to be read as JSON, and how much may be read behind its end: the parser reads up to `json_padding` bytes
// beyond, and a text that has no such room is copied first. A string brings its spare capacity with it.
#pragma once

#include <string>
#include <string_view>

namespace sidecar {

inline constexpr std::size_t json_padding = 64;

struct json_text {
    json_text(std::string_view bytes, std::size_t behind = 0) noexcept : text(bytes), room(behind) {}
    json_text(const char* bytes) noexcept : text(bytes) {}
    json_text(const std::string& bytes) noexcept : text(bytes), room(bytes.capacity() - bytes.size()) {}

    std::string_view text;
    std::size_t room = 0; // readable bytes behind it, whatever they are
};

} // namespace sidecar
