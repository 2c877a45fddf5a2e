#include "rules/target.hpp"

#include <array>

namespace sidecar {

namespace {

int digit_value(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool ends_parameter(char c) noexcept { return c == '&' || c == ';'; }

// Behind `word` at the start of `text`, decoded; npos if something else stands there.
std::size_t behind(std::string_view text, std::string_view word) noexcept {
    std::size_t at = 0;
    for (const char expected : word) {
        if (at == text.size()) return text.npos;
        const auto byte = decode_at(text, at);
        if (byte.value != expected) return text.npos;
        at += byte.length;
    }
    return at;
}

// A dot, plain or encoded, and what follows it, which may be anything but nothing or another plain dot: the router's
// expression for the format is `[^/?#.]+`, and it is matched before decoding.
bool is_suffix(std::string_view text) noexcept {
    if (text.empty()) return false;
    const auto dot = decode_at(text, 0);
    return dot.value == '.' && text.size() > dot.length && text.find('.', dot.length) == text.npos;
}

std::size_t last_encoded_dot(std::string_view text) noexcept {
    for (auto at = text.rfind('%'); at != text.npos; at = at == 0 ? text.npos : text.rfind('%', at - 1))
        if (decode_at(text, at).value == '.') return at;
    return text.npos;
}

} // namespace

target::target(std::string_view as_sent) noexcept {
    // A fragment has no place in a request, and the head reader refuses it; Puma cuts it off.
    const auto sent = as_sent.substr(0, as_sent.find('#'));
    const auto question = sent.find('?');
    path_ = sent.substr(0, question);
    if (question != sent.npos) query_ = sent.substr(question + 1);
}

bool target::has_flag(std::string_view name) const noexcept {
    std::size_t at = 0;
    while (at < query_.size()) {
        std::size_t matched = 0;
        bool same = true;
        // The separators are sought before anything is decoded, as Rack does: `a%26info` is one name.
        for (; at < query_.size() && query_[at] != '=' && !ends_parameter(query_[at]);) {
            auto byte = decode_at(query_, at);
            if (query_[at] == '+') byte.value = ' ';
            same = same && matched < name.size() && byte.value == name[matched];
            ++matched;
            at += byte.length;
        }
        if (same && matched == name.size()) return true;
        while (at < query_.size() && !ends_parameter(query_[at])) ++at;
        ++at;
    }
    return false;
}

std::string_view path_parts::next() noexcept {
    std::size_t begin = 0;
    while (begin < rest_.size() && rest_[begin] == '/') ++begin;
    std::size_t end = begin;
    while (end < rest_.size() && rest_[end] != '/') ++end;
    const auto part = rest_.substr(begin, end - begin);
    rest_.remove_prefix(end);
    return part;
}

std::optional<char> decode_escape(std::string_view text, std::size_t at) noexcept {
    if (text.size() - at < 3) return std::nullopt;
    const int high = digit_value(text[at + 1]);
    const int low = digit_value(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    return static_cast<char>(high << 4 | low);
}

bool spells(std::string_view part, std::string_view word, suffix may_follow) noexcept {
    if (part == word) return true;
    const auto end = behind(part, word);
    if (end == part.npos) return false;
    return end == part.size() || (may_follow == suffix::allowed && is_suffix(part.substr(end)));
}

std::string_view id_within(std::string_view part, suffix may_follow) noexcept {
    const auto dot = part.find('.');
    if (may_follow == suffix::none) return dot == part.npos ? part : std::string_view{};
    if (dot != part.npos) return is_suffix(part.substr(dot)) ? part.substr(0, dot) : std::string_view{};
    // Without a plain dot the last encoded one begins the suffix, unless nothing follows it.
    const auto encoded = last_encoded_dot(part);
    return encoded != part.npos && is_suffix(part.substr(encoded)) ? part.substr(0, encoded) : part;
}

std::optional<uuid> parse_encoded_uuid(std::string_view text) noexcept {
    constexpr std::size_t length = 36;
    if (text.size() == length) return parse_uuid(text);
    if (text.size() < length || text.size() > 3 * length) return std::nullopt;
    std::array<char, length> plain;
    std::size_t filled = 0;
    for (std::size_t at = 0; at < text.size();) {
        if (filled == length) return std::nullopt;
        const auto byte = decode_at(text, at);
        plain[filled++] = byte.value;
        at += byte.length;
    }
    return parse_uuid({plain.data(), filled});
}

} // namespace sidecar
