// UTF-8 as Unicode 15, table 3-7, has it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace sidecar {

// How many bytes the character takes that begins `text` (not empty); 0 if no well-formed one does.
std::size_t utf8_length(std::string_view text) noexcept;

// The first bytes of `text`, at most so many, that do not end within a character.
std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept;

} // namespace sidecar
