#include "sidecar/action.hpp"

namespace sidecar {

std::string_view to_string(reason why) noexcept {
    switch (why) {
    case reason::no_rule:
        return "no_rule";
    case reason::method_override:
        return "method_override";
    case reason::id_is_no_uuid:
        return "id_is_no_uuid";
    case reason::field_missing:
        return "field_missing";
    case reason::ready:
        return "ready";
    case reason::not_ready:
        return "not_ready";
    case reason::unknown:
        return "unknown";
    case reason::augmented:
        return "augmented";
    case reason::learning:
        return "learning";
    case reason::status_path:
        return "status_path";
    }
    return "";
}

} // namespace sidecar
