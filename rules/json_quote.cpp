#include "rules/json_quote.hpp"

namespace sidecar {

void append_quoted(std::string& json, std::string_view text) {
    constexpr std::string_view digits = "0123456789abcdef";
    json += '"';
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            json += '\\';
            json += c;
        } else if (byte < 0x20) {
            json.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 0xf]);
        } else {
            json += c;
        }
    }
    json += '"';
}

} // namespace sidecar
