// A string in JSON text (RFC 8259 7). `text` is UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace sidecar {

void append_quoted(std::string& json, std::string_view text);

} // namespace sidecar
