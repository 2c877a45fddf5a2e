#include "rules/path_template.hpp"

namespace sidecar {

path_template::path_template(std::string_view text) {
    path_parts parts(text);
    for (auto part = parts.next(); !part.empty(); part = parts.next()) words_.emplace_back(part == "{id}" ? "" : part);
}

std::optional<path_template::match> path_template::match_against(path_parts parts) const noexcept {
    std::string_view id;
    for (std::size_t i = 0; i < words_.size(); ++i) {
        const auto part = parts.next();
        const auto may_follow = i + 1 == words_.size() ? suffix::allowed : suffix::none;
        if (!words_[i].empty()) {
            if (!spells(part, words_[i], may_follow)) return std::nullopt;
        } else if (id = id_within(part, may_follow); id.empty()) {
            return std::nullopt;
        }
    }
    if (!parts.next().empty()) return std::nullopt;
    return match{parse_encoded_uuid(id)};
}

} // namespace sidecar
