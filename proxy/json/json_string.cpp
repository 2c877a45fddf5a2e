#include "proxy/json/json_string.hpp"

#include "proxy/json/utf8.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>

namespace sidecar {
namespace {

// Bytes that go in as they are: printable ASCII but the quote and the backslash.
constexpr std::array<bool, 256> plain = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0x20; c < 0x7f; ++c) table[c] = c != '"' && c != '\\';
    return table;
}();

constexpr unsigned char byte_at(std::string_view text, std::size_t i) { return static_cast<unsigned char>(text[i]); }

void append_escape(std::string& out, char32_t code) {
    constexpr std::string_view digits = "0123456789abcdef";
    if (code > 0xffff) { // a surrogate pair
        append_escape(out, 0xd800 + ((code - 0x10000) >> 10));
        append_escape(out, 0xdc00 + (code & 0x3ff));
        return;
    }
    out.append("\\u");
    for (int shift = 12; shift >= 0; shift -= 4) out.push_back(digits[code >> shift & 0xf]);
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

// Of a well-formed character of two bytes or more.
char32_t code_of(std::string_view character) {
    char32_t code = byte_at(character, 0) & (0xffU >> (character.size() + 1));
    for (std::size_t i = 1; i < character.size(); ++i) code = code << 6 | (byte_at(character, i) & 0x3fU);
    return code;
}

// C1 controls, the format characters of Unicode 15 (general category Cf) and its two separators (Zl, Zp).
bool acts_unseen(char32_t code) {
    struct range {
        char32_t first, last;
    };
    constexpr range ranges[] = {{0x80, 0x9f},       {0xad, 0xad},       {0x600, 0x605},     {0x61c, 0x61c},
                                {0x6dd, 0x6dd},     {0x70f, 0x70f},     {0x890, 0x891},     {0x8e2, 0x8e2},
                                {0x180e, 0x180e},   {0x200b, 0x200f},   {0x2028, 0x202e},   {0x2060, 0x206f},
                                {0xfeff, 0xfeff},   {0xfff9, 0xfffb},   {0x110bd, 0x110bd}, {0x110cd, 0x110cd},
                                {0x13430, 0x1343f}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0001, 0xe007f}};
    return std::any_of(std::begin(ranges), std::end(ranges),
                       [code](const range& each) { return each.first <= code && code <= each.last; });
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
        else if (const auto code = code_of(character); acts_unseen(code))
            append_escape(out, code);
        else
            out.append(character);
        text.remove_prefix(length == 0 ? 1 : length);
    }
    out.push_back('"');
}

} // namespace sidecar
