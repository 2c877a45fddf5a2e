#include "tests/rules/json_reader.hpp"

#include <simdjson.h>

#include <algorithm>
#include <bit>
#include <bitset>
#include <cstdint>
#include <cstring>

namespace sidecar {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

constexpr bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

constexpr int hex_value(char c) noexcept {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

constexpr bool is_plain(char c) noexcept { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; }

// The first byte that is a quote, a backslash or a control byte: eight at a time, as strings are most of any text.
const char* find_special(const char* next, const char* end) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
        constexpr std::uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
        while (end - next >= 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, next, sizeof word);
            const std::uint64_t quote = word ^ ones * '"';
            const std::uint64_t backslash = word ^ ones * '\\';
            // A borrow can spoil only bytes above a true find, and the lowest find is the one taken.
            const std::uint64_t found =
                (((word - ones * 0x20) & ~word) | ((quote - ones) & ~quote) | ((backslash - ones) & ~backslash)) &
                highs;
            if (found != 0) return next + std::countr_zero(found) / 8;
            next += 8;
        }
    }
    while (next != end && is_plain(*next)) ++next;
    return next;
}

// The four digits after \u, of a string that is known to be valid.
char32_t code_unit(const char* digits) noexcept {
    char32_t unit = 0;
    for (int i = 0; i < 4; ++i) unit = unit * 16 + static_cast<char32_t>(hex_value(digits[i]));
    return unit;
}

constexpr bool is_high_surrogate(char32_t c) noexcept { return c >= 0xD800 && c < 0xDC00; }
constexpr bool is_low_surrogate(char32_t c) noexcept { return c >= 0xDC00 && c < 0xE000; }

void append_utf8(std::string& to, char32_t c) {
    const auto put = [&to](char32_t byte) { to += static_cast<char>(static_cast<unsigned char>(byte)); };
    const auto put_rest = [&put, c](int shift) {
        for (; shift >= 0; shift -= 6) put(0x80 | (c >> shift & 0x3F));
    };
    if (c < 0x80) {
        put(c);
    } else if (c < 0x800) {
        put(0xC0 | c >> 6);
        put_rest(0);
    } else if (c < 0x10000) {
        put(0xE0 | c >> 12);
        put_rest(6);
    } else {
        put(0xF0 | c >> 18);
        put_rest(12);
    }
}

// What the escape that starts at written[at] stands for; `at` moves behind it.
char32_t unescape(std::string_view written, std::size_t& at) noexcept {
    const char letter = written[at + 1];
    at += 2;
    switch (letter) {
    case 'b':
        return U'\b';
    case 'f':
        return U'\f';
    case 'n':
        return U'\n';
    case 'r':
        return U'\r';
    case 't':
        return U'\t';
    case 'u':
        break;
    default:
        return static_cast<char32_t>(letter); // quote, backslash, slash
    }
    const char32_t first = code_unit(written.data() + at);
    at += 4;
    if (is_low_surrogate(first)) return U'\uFFFD';
    if (!is_high_surrogate(first)) return first;
    if (written.substr(at, 2) != "\\u") return U'\uFFFD';
    const char32_t second = code_unit(written.data() + at + 2);
    if (!is_low_surrogate(second)) return U'\uFFFD';
    at += 6;
    return 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
}

} // namespace

json_reader::json_reader(std::string_view text) noexcept
    : begin_(text.data()),
      end_(text.data() + text.size()),
      next_(text.data()),
      utf8_(simdjson::validate_utf8(text.data(), text.size())) {
    if (!utf8_)
        end_ = begin_;
    else if (text.starts_with(byte_order_mark))
        next_ += byte_order_mark.size();
}

char json_reader::peek() noexcept {
    while (next_ != end_ && (*next_ == ' ' || *next_ == '\n' || *next_ == '\r' || *next_ == '\t')) ++next_;
    return next_ == end_ ? '\0' : *next_;
}

bool json_reader::take(char c) noexcept {
    // A NUL byte in the text is never asked for, so the one that peek() gives at the end can't be taken for it.
    if (peek() != c) return false;
    ++next_;
    return true;
}

bool json_reader::open(char bracket) noexcept {
    if (depth_ == depth_max || !take(bracket)) return false;
    ++depth_;
    return true;
}

bool json_reader::skip() noexcept {
    const char first = peek();
    return first == '{' || first == '[' ? skip_nested() : skip_scalar();
}

// Without recursion: how deep a text nests is its sender's choice.
bool json_reader::skip_nested() noexcept {
    std::bitset<depth_max> is_object;
    const std::size_t outer = depth_;
    bool value_due = true;
    do {
        const char c = peek();
        if (value_due && (c == '{' || c == '[')) {
            if (!open(c)) return false;
            is_object[depth_ - 1] = c == '{';
            value_due = peek() != (c == '{' ? '}' : ']');
            if (c == '{' && value_due && !name()) return false;
        } else if (value_due) {
            if (!skip_scalar()) return false;
            value_due = false;
        } else if (take(is_object[depth_ - 1] ? '}' : ']')) {
            --depth_;
        } else {
            if (!take(',')) return false;
            value_due = true;
            if (is_object[depth_ - 1] && !name()) return false;
        }
    } while (depth_ > outer);
    return true;
}

bool json_reader::skip_scalar() noexcept {
    switch (peek()) {
    case '"':
        return skip_string();
    case 't':
        return skip_word("true");
    case 'f':
        return skip_word("false");
    case 'n':
        return skip_word("null");
    default:
        return skip_number();
    }
}

std::optional<std::string_view> json_reader::string() noexcept {
    if (peek() != '"') return std::nullopt;
    const char* const first = next_ + 1;
    if (!skip_string()) return std::nullopt;
    return std::string_view(first, static_cast<std::size_t>(next_ - 1 - first));
}

std::optional<bool> json_reader::boolean() noexcept {
    const char first = peek();
    if (first == 't' && skip_word("true")) return true;
    if (first == 'f' && skip_word("false")) return false;
    return std::nullopt;
}

std::optional<std::string_view> json_reader::name() noexcept {
    const auto written = string();
    if (!written || !take(':')) return std::nullopt;
    return written;
}

bool json_reader::skip_string() noexcept {
    ++next_; // the quote that brought us here
    for (;;) {
        next_ = find_special(next_, end_);
        if (next_ == end_) return false;
        if (*next_ == '"') break;
        if (*next_ != '\\' || !skip_escape()) return false; // else a control byte
    }
    ++next_;
    return true;
}

bool json_reader::skip_escape() noexcept {
    constexpr std::string_view letters = "\"\\/bfnrt";
    ++next_;
    if (next_ == end_) return false;
    if (*next_ != 'u') {
        if (letters.find(*next_) == letters.npos) return false;
        ++next_;
        return true;
    }
    ++next_;
    for (int i = 0; i < 4; ++i, ++next_)
        if (next_ == end_ || hex_value(*next_) < 0) return false;
    return true;
}

bool json_reader::skip_word(std::string_view word) noexcept {
    for (const char c : word) {
        if (next_ == end_ || *next_ != c) return false;
        ++next_;
    }
    return true;
}

bool json_reader::skip_number() noexcept {
    if (next_ != end_ && *next_ == '-') ++next_;
    if (next_ != end_ && *next_ == '0')
        ++next_;
    else if (!skip_digits())
        return false;
    if (next_ != end_ && *next_ == '.') {
        ++next_;
        if (!skip_digits()) return false;
    }
    if (next_ != end_ && (*next_ == 'e' || *next_ == 'E')) {
        ++next_;
        if (next_ != end_ && (*next_ == '+' || *next_ == '-')) ++next_;
        if (!skip_digits()) return false;
    }
    return true;
}

// One at least.
bool json_reader::skip_digits() noexcept {
    const char* const first = next_;
    while (next_ != end_ && is_digit(*next_)) ++next_;
    return next_ != first;
}

std::string unescaped(std::string_view written) {
    std::string plain;
    plain.reserve(written.size());
    for (std::size_t at = 0; at < written.size();) {
        if (written[at] == '\\')
            append_utf8(plain, unescape(written, at));
        else
            plain += written[at++];
    }
    return plain;
}

} // namespace sidecar
