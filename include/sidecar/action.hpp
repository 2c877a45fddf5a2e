// What is to be done with a request: one value, decided by rules/, performed by proxy/.
#pragma once

#include "sidecar/uuid.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace sidecar {

// Why it was decided so.
enum class reason : std::uint8_t {
    no_rule,         // forwarded: nothing selects it
    method_override, // forwarded: X-HTTP-Method-Override makes it another method
    id_is_no_uuid,   // forwarded
    field_missing,   // forwarded: gate.require (no Authorization)
    ready,           // gate open
    not_ready,       // gate closed
    unknown,         // the readiness says nothing; what then happens is the rule's `unknown`
    augmented,       // will be, if the response allows
    learning,        // forwarded; a success teaches
    status_path,     // refused: the status endpoint is not for clients
    count_
};

// By enum reason: a word for logs and a label for metrics.
inline constexpr auto reason_words =
    std::to_array<std::string_view>({"no_rule", "method_override", "id_is_no_uuid", "field_missing", "ready",
                                     "not_ready", "unknown", "augmented", "learning", "status_path"});
static_assert(reason_words.size() == static_cast<std::size_t>(reason::count_));

constexpr std::string_view to_string(reason why) noexcept { return reason_words[static_cast<std::size_t>(why)]; }

// Send it on unchanged. With `learn`, a 2xx response makes a resource not ready for the while.
struct forward {
    struct learning {
        std::size_t rule = 0;   // index into the rule table
        std::optional<uuid> id; // from the path; else it is in the response's body
    };
    std::optional<learning> learn;
};

// Send it on asking for the whole, unencoded representation, and insert `info` into the response.
struct augment {
    std::string consistency; // the value of info.resource_consistency: {"is_upload_ready":true,...}
    bool head = false;       // a HEAD: nothing to insert into, only what would be untrue of the GET's response goes
};

// Respond without the backend.
struct local_reply {
    int status = 404;
    std::string_view reason_phrase;
    std::string_view code;
    std::string_view reason;
    std::string_view suggestion;
    bool retry_after = false;
};

using action = std::variant<forward, augment, local_reply>;

struct decision {
    static constexpr std::size_t no_rule = static_cast<std::size_t>(-1);

    sidecar::action action;
    sidecar::reason reason = sidecar::reason::no_rule;
    std::size_t rule = no_rule; // index into config.rules.rules
    std::optional<uuid> id;     // of the resource, when a rule selected it
};

} // namespace sidecar
