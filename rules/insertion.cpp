// Finds where `info` goes in and validates the whole body on the way; no byte of it is changed or moved.
#include "sidecar/augment.hpp"

#include "rules/json_reader.hpp"

#include <initializer_list>

namespace sidecar {
namespace {

// An object into which a member can go, by its closing brace.
struct closing {
    std::size_t brace = 0;
    bool empty = true;
};

// The body's last `info`, which is the one that readers see.
struct own_info {
    std::optional<closing> object; // if it is one
    bool has_consistency = false;
};

// A further member of the object; the value comes in parts.
std::string member(const closing& into, std::string_view name, std::initializer_list<std::string_view> value) {
    std::string text;
    text.reserve(192);
    text.append(into.empty ? "\"" : ",\"").append(name).append("\":");
    for (const auto part : value) text.append(part);
    return text;
}

std::optional<own_info> read_info(json_reader& json) {
    own_info info;
    if (json.peek() != '{') return json.skip() ? std::optional(info) : std::nullopt;
    info.object.emplace();
    const bool whole = json.object([&](std::string_view name) {
        info.object->empty = false;
        if (spells(name, "resource_consistency")) info.has_consistency = true;
        return json.skip();
    });
    if (!whole) return std::nullopt;
    info.object->brace = json.position() - 1;
    return info;
}

} // namespace

boost::system::result<insertion, not_augmented> plan_insertion(const json_text& body, std::string_view consistency) {
    json_reader json(body.text);
    if (json.peek() != '{')
        return json.skip() && json.at_end() ? not_augmented::not_an_object : not_augmented::invalid_json;

    closing whole;
    std::optional<own_info> info;
    const bool read = json.object([&](std::string_view name) {
        whole.empty = false;
        if (!spells(name, "info")) return json.skip();
        info = read_info(json);
        return info.has_value();
    });
    whole.brace = json.position() - 1;
    if (!read || !json.at_end()) return not_augmented::invalid_json;

    if (!info) return insertion{whole.brace, member(whole, "info", {"{\"resource_consistency\":", consistency, "}"})};
    if (!info->object || info->has_consistency) return not_augmented::backends_own_word;
    return insertion{info->object->brace, member(*info->object, "resource_consistency", {consistency})};
}

} // namespace sidecar
