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
    bool listed = false;  // in the last good document
    bool learned = false; // from an answer that passed
    std::vector<std::pair<std::string, state>> members;
};

// What requests would be told now, in every collection.
std::vector<resource_view> look_up_everywhere(const standing&, const uuid&);

// Those with a member that is not ready; at most `limit`, learned ones first.
std::vector<resource_view> not_ready_resources(const standing&, std::size_t limit);

// {"fresh":..,"age_seconds":..,"collections":[..],"resources":[..]}; `id`: that one alone.
std::string readiness_json(const standing&, std::optional<uuid> id, std::size_t limit);

std::string_view to_string(state) noexcept;

} // namespace sidecar
