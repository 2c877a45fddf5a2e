#include "proxy/json/utf8.hpp"

namespace sidecar {

std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte_at = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto follows = [&](std::size_t i, unsigned char least = 0x80, unsigned char most = 0xbf) {
        return i < text.size() && byte_at(i) >= least && byte_at(i) <= most;
    };
    const auto first = byte_at(0);
    if (first < 0x80) return 1;
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

std::string_view utf8_prefix(std::string_view text, std::size_t bytes_max) noexcept {
    if (text.size() <= bytes_max) return text;
    constexpr std::size_t longest = 4;
    for (std::size_t back = 1; back < longest && back <= bytes_max; ++back) {
        const auto length = utf8_length(text.substr(bytes_max - back));
        if (length > back) return text.substr(0, bytes_max - back); // one begins there and ends beyond
    }
    return text.substr(0, bytes_max);
}

} // namespace sidecar
