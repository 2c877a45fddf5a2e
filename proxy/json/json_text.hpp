// Text as a JSON string, for whoever writes JSON by hand. Whatever the bytes are, the result is valid JSON (RFC 8259)
// in valid UTF-8, and holds nothing that a terminal would obey.
#pragma once

#include <string>
#include <string_view>

namespace sidecar {

// Appends "text" with its quotes. Control characters (C1 and DEL too) become \uXXXX; a byte that is no part of
// UTF-8 becomes \ufffd.
void append_json_string(std::string& out, std::string_view text);

} // namespace sidecar
