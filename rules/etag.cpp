// Media types, entity tags and the lists of them (RFC 9110 8.3, 8.8.3, 13.1.2).
#include "sidecar/augment.hpp"

#include "sidecar/token.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>

namespace sidecar {
namespace {

constexpr bool is_opaque_byte(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte == 0x21 || (byte >= 0x23 && byte != 0x7F);
}

struct entity_tag {
    bool weak = false;
    std::string_view opaque; // without the quotes
};

// Takes one entity tag off the front of `text`, if one stands there.
std::optional<entity_tag> take_entity_tag(std::string_view& text) noexcept {
    entity_tag tag;
    std::string_view rest = text;
    tag.weak = rest.starts_with("W/");
    if (tag.weak) rest.remove_prefix(2);
    if (!rest.starts_with('"')) return std::nullopt;
    rest.remove_prefix(1);
    const auto size =
        static_cast<std::size_t>(std::find_if_not(rest.begin(), rest.end(), is_opaque_byte) - rest.begin());
    if (size == rest.size() || rest[size] != '"') return std::nullopt;
    tag.opaque = rest.substr(0, size);
    text = rest.substr(size + 1);
    return tag;
}

std::optional<entity_tag> read_entity_tag(std::string_view text) noexcept {
    const auto tag = take_entity_tag(text);
    return text.empty() ? tag : std::nullopt;
}

enum class comparison : std::uint8_t { weak, strong }; // RFC 9110 8.8.3.2

bool names(std::string_view list, std::string_view etag, comparison how) noexcept {
    if (trim_blanks(list) == "*") return true;
    const auto ours = read_entity_tag(etag);
    if (!ours || (how == comparison::strong && ours->weak)) return false;
    while (!list.empty()) {
        if (is_blank(list.front()) || list.front() == ',') {
            list.remove_prefix(1);
        } else if (const auto theirs = take_entity_tag(list)) {
            if (theirs->opaque == ours->opaque && !(how == comparison::strong && theirs->weak)) return true;
        } else { // not a tag: it matches nothing, but what stands behind it may
            list.remove_prefix(std::min(list.find(','), list.size()));
        }
    }
    return false;
}

// FNV-1a, by words of eight bytes: the states are few, and nobody gains by making two of them collide.
std::uint64_t digest(std::string_view text) noexcept {
    std::uint64_t hash = 0xCBF29CE484222325;
    while (!text.empty()) {
        std::uint64_t word = 0;
        const auto size = text.copy(reinterpret_cast<char*>(&word), sizeof word);
        text.remove_prefix(size);
        hash = (hash ^ word ^ hash >> 32) * 0x100000001B3; // the shift brings what is high down, as its bytes were
    }
    return hash;
}

} // namespace

bool is_json_media_type(std::string_view content_type) noexcept {
    const auto name = trim_blanks(content_type.substr(0, content_type.find(';')));
    const auto slash = name.find('/');
    if (slash == name.npos) return false;
    const auto type = name.substr(0, slash), subtype = name.substr(slash + 1);
    if (!is_token(type) || !is_token(subtype)) return false;
    constexpr std::string_view suffix = "+json";
    if (subtype.size() > suffix.size() && iequals(subtype.substr(subtype.size() - suffix.size()), suffix)) return true;
    return iequals(type, "application") && iequals(subtype, "json");
}

std::optional<std::string> augmented_etag(std::string_view backends, std::string_view inserted_text) {
    const auto tag = read_entity_tag(backends);
    if (!tag) return std::nullopt;
    char of_text[16];
    char* const end = std::to_chars(of_text, of_text + sizeof of_text, digest(inserted_text), 16).ptr;
    std::string etag;
    etag.reserve(tag->opaque.size() + 32);
    etag.append(tag->weak ? "W/\"" : "\"").append(tag->opaque).append("-info-");
    return etag.append(of_text, end) += '"';
}

bool if_none_match(std::string_view field_value, std::string_view etag) noexcept {
    return names(field_value, etag, comparison::weak);
}

bool if_match(std::string_view field_value, std::string_view etag) noexcept {
    return names(field_value, etag, comparison::strong);
}

} // namespace sidecar
