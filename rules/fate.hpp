// A rule that has selected a request, and what becomes of the request then.
#pragma once

#include "sidecar/action.hpp"
#include "sidecar/config.hpp"
#include "sidecar/message.hpp"
#include "sidecar/readiness.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sidecar {

// The rules' actions with their names looked up in the schema.
struct augmenting {
    struct member {
        std::size_t index;
        std::string name; // with quotes and colon, as it stands in the answer
    };
    std::size_t collection;
    std::vector<member> members;
    unknown_augment unknown;
};

struct gating {
    std::size_t collection;
    std::size_t member;
    std::vector<std::string> require;
    unknown_gate unknown;
};

struct learning {
    std::size_t collection;
    member_states members;
    id_from id;
};

using prepared_action = std::variant<augmenting, gating, learning>;

struct selection {
    const request_view& request;
    std::size_t rule;
    std::optional<uuid> id; // from the path
    const readiness& known;
    time_point now;
};

decision fate_by(const augmenting&, const selection&);
decision fate_by(const gating&, const selection&);
decision fate_by(const learning&, const selection&);

} // namespace sidecar
