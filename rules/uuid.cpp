#include "sidecar/uuid.hpp"

#include <array>

namespace sidecar {

namespace {

constexpr std::uint8_t no_digit = 0xff;

constexpr auto digit_values = [] {
    std::array<std::uint8_t, 256> values{};
    values.fill(no_digit);
    for (std::uint8_t i = 0; i < 10; ++i) values['0' + i] = i;
    for (std::uint8_t i = 0; i < 6; ++i) values['a' + i] = values['A' + i] = static_cast<std::uint8_t>(10 + i);
    return values;
}();

constexpr std::size_t text_length = 36;

constexpr bool is_hyphen_place(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

// Where the 32 digits stand.
constexpr auto digit_places = [] {
    std::array<std::uint8_t, 32> places{};
    std::size_t digit = 0;
    for (std::size_t i = 0; i < text_length; ++i)
        if (!is_hyphen_place(i)) places[digit++] = static_cast<std::uint8_t>(i);
    return places;
}();

} // namespace

std::optional<uuid> parse_uuid(std::string_view text) noexcept {
    if (text.size() != text_length) return std::nullopt;
    if (text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-') return std::nullopt;
    uuid id;
    std::uint8_t seen = 0; // no_digit has bits that no digit has
    for (std::size_t i = 0; i < 16; ++i) {
        const auto high = digit_values[static_cast<unsigned char>(text[digit_places[i]])];
        const auto low = digit_values[static_cast<unsigned char>(text[digit_places[16 + i]])];
        seen = static_cast<std::uint8_t>(seen | high | low);
        id.high = id.high << 4 | high;
        id.low = id.low << 4 | low;
    }
    if (seen > 0xf) return std::nullopt;
    return id;
}

std::string to_string(const uuid& id) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text(text_length, '-');
    for (std::size_t i = 0; i < 16; ++i) {
        const auto shift = 60 - 4 * i;
        text[digit_places[i]] = digits[id.high >> shift & 0xf];
        text[digit_places[16 + i]] = digits[id.low >> shift & 0xf];
    }
    return text;
}

} // namespace sidecar
