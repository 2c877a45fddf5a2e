#include "proxy/json/json_text.hpp"

#include "proxy/json/utf8.hpp"

#include <array>
#include <cstddef>

namespace sidecar {
namespace {

// Bytes that go in as they are: printable ASCII but the quote and the backslash.
constexpr std::array<bool, 256> plain = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0x20; c < 0x7f; ++c) table[c] = c != '"' && c != '\\';
    return table;
}();

constexpr unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

void append_escape(std::string& out, unsigned code) {
    constexpr std::string_view digits = "0123456789abcdef";
    out.append("\\u00");
    out.push_back(digits[code >> 4 & 0xf]);
    out.push_back(digits[code & 0xf]);
}

void append_ascii(std::string& out, char c) {
    switch (c) {
    case '"':
        out.append("\\\"");
        return;
    case '\\':
        out.append("\\\\");
        return;
    case '\n':
        out.append("\\n");
        return;
    case '\r':
        out.append("\\r");
        return;
    case '\t':
        out.append("\\t");
        return;
    default:
        append_escape(out, static_cast<unsigned char>(c));
    }
}

bool is_c1_control(std::string_view character) {
    return character.size() == 2 && byte_at(character, 0) == 0xc2 && byte_at(character, 1) < 0xa0;
}

} // namespace

void append_json_string(std::string& out, std::string_view text) {
    out.push_back('"');
    while (!text.empty()) {
        std::size_t run = 0;
        while (run < text.size() && plain[byte_at(text, run)]) ++run;
        out.append(text.substr(0, run));
        text.remove_prefix(run);
        if (text.empty()) break;
        const auto length = utf8_length(text);
        const auto character = text.substr(0, length);
        if (length == 0)
            out.append("\\ufffd");
        else if (length == 1)
            append_ascii(out, text[0]);
        else if (is_c1_control(character))
            append_escape(out, byte_at(character, 1));
        else
            out.append(character);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out.push_back('"');
}

} // namespace sidecar
