#include "proxy/json_text.hpp"

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

// The length of the character that begins `text` with a byte above 0x7f; 0 if it is not well-formed UTF-8
// (Unicode 15, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF).
std::size_t utf8_length(std::string_view text) {
    const auto follows = [text](std::size_t i, unsigned char least = 0x80, unsigned char most = 0xbf) {
        return i < text.size() && byte_at(text, i) >= least && byte_at(text, i) <= most;
    };
    const auto first = byte_at(text, 0);
    if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
    if (first >= 0xe0 && first <= 0xef) {
        const unsigned char least = first == 0xe0 ? 0xa0 : 0x80;
        const unsigned char most = first == 0xed ? 0x9f : 0xbf;
        return follows(1, least, most) && follows(2) ? 3 : 0;
    }
    if (first >= 0xf0 && first <= 0xf4) {
        const unsigned char least = first == 0xf0 ? 0x90 : 0x80;
        const unsigned char most = first == 0xf4 ? 0x8f : 0xbf;
        return follows(1, least, most) && follows(2) && follows(3) ? 4 : 0;
    }
    return 0;
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
        const bool ascii = byte_at(text, 0) < 0x80;
        const auto length = ascii ? 1 : utf8_length(text);
        const auto character = text.substr(0, length);
        if (ascii)
            append_ascii(out, text[0]);
        else if (length == 0)
            out.append("\\ufffd");
        else if (is_c1_control(character))
            append_escape(out, byte_at(character, 1));
        else
            out.append(character);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out.push_back('"');
}

} // namespace sidecar
