// Text as a JSON string, for whoever writes JSON by hand. Whatever the bytes are, the result is valid JSON (RFC 8259)
// in valid UTF-8, and holds nothing that a terminal would obey or that makes text look like another.
#pragma once

#include <string>
#include <string_view>

namespace sidecar {

// Appends "text" with its quotes. Control characters (C1 and DEL too) and those that are not seen but act (Unicode's
// format characters: direction, width, tags; line and paragraph separators) become \uXXXX; a byte that is no part of
// UTF-8 becomes \ufffd.
void append_json_string(std::string& out, std::string_view text);

} // namespace sidecar
