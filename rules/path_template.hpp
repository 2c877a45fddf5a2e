// A rule's path: `/projects/{id}/uploads`. Matches what the backend's router takes for the same route.
#pragma once

#include "rules/target.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

class path_template {
public:
    explicit path_template(std::string_view text);

    struct match {
        std::optional<uuid> id; // none if the template has none, or if what stands there is no UUID
    };

    // `parts`: those below the API prefix. nullopt: another route.
    std::optional<match> match_against(path_parts parts) const noexcept;

private:
    std::vector<std::string> words_; // an empty one is the id's place
};

} // namespace sidecar
