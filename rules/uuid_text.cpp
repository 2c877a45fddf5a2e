#include "sidecar/uuid.hpp"

#include <bit>
#include <cstring>

namespace sidecar {

namespace {

constexpr std::size_t text_length = 36;
constexpr std::uint64_t each = 0x0101010101010101, highs = each * 0x80;

static_assert(std::endian::native == std::endian::little);

// Eight hexadecimal digits at once, a byte for each: status documents hold a million ids.
inline bool read_digits(std::uint64_t text, std::uint64_t& into) noexcept {
    const std::uint64_t is_letter = text >> 6 & each;
    const std::uint64_t lower = text | is_letter << 5;
    const std::uint64_t least = each * '0' + is_letter * ('a' - '0'), most = each * '9' + is_letter * ('f' - '9');
    // The high bit is lent to each byte, and stays where nothing had to be borrowed.
    const std::uint64_t is_digit = ((lower | highs) - least) & ((most | highs) - lower) & ~text & highs;
    if (is_digit != highs) return false;
    std::uint64_t digits = (lower & each * 0xf) + is_letter * 9;
    digits = (digits << 4 | digits >> 8) & 0x00FF00FF00FF00FF;
    digits = (digits | digits >> 8) & 0x0000FFFF0000FFFF;
    into = into << 32 | __builtin_bswap32(static_cast<std::uint32_t>(digits | digits >> 16));
    return true;
}

} // namespace

std::optional<uuid> parse_uuid(std::string_view text) noexcept {
    if (text.size() != text_length) return std::nullopt;
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
    const auto four_at = [text](std::size_t at) {
        std::uint32_t digits = 0;
        std::memcpy(&digits, &text[at], 4);
        return std::uint64_t{digits};
    };
    uuid id;
    if (!read_digits(four_at(0) | four_at(4) << 32, id.high) || !read_digits(four_at(9) | four_at(14) << 32, id.high))
        return std::nullopt;
    if (!read_digits(four_at(19) | four_at(24) << 32, id.low) || !read_digits(four_at(28) | four_at(32) << 32, id.low))
        return std::nullopt;
    return id;
}

std::string to_string(const uuid& id) {
    std::string text;
    for (int digit = 0; digit < 32; ++digit) {
        if (digit == 8 || digit == 12 || digit == 16 || digit == 20) text += '-';
        text += "0123456789abcdef"[(digit < 16 ? id.high : id.low) >> (60 - 4 * (digit % 16)) & 0xf];
    }
    return text;
}

} // namespace sidecar
