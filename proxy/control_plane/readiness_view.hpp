// What the cache says about resources, for people: the admin page and /readiness. Pure.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {

struct resource_view {
    std::string collection;
    uuid id;
    bool listed = false;                                // in the last good document
    bool learned = false;                               // from a response that passed, and no poll has overtaken it
    std::vector<std::pair<std::string, state>> members; // what requests would be told now
    std::optional<double> not_ready_seconds;            // for so long; nothing: it is ready, or that is not known
};

// What was learned and no poll has overtaken: the others stay until the next lesson.
std::size_t lessons_that_count(const standing&);

// In every collection.
std::vector<resource_view> look_up_everywhere(const standing&, const uuid&);

// Those with a member that is not ready, longest first; at most `limit`. None from a document that is too old to count.
std::vector<resource_view> not_ready_resources(const standing&, std::size_t limit);

// {"fresh":..,"age_seconds":..,"collections":[..],"resources":[..]}; `id`: that one alone.
std::string readiness_json(const standing&, std::optional<uuid> id, std::size_t limit);

std::string_view to_string(state) noexcept;

} // namespace sidecar
