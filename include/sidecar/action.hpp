// What is to be done with a request: one value, decided by rules/, performed by proxy/.
#pragma once

#include "sidecar/uuid.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace sidecar {

// Why it was decided so; a word for logs and a label for metrics.
enum class reason : std::uint8_t {
    no_rule,         // forwarded: nothing selects it
    method_override, // forwarded: X-HTTP-Method-Override makes it another method
    id_is_no_uuid,   // forwarded
    field_missing,   // forwarded: gate.require (no Authorization)
    ready,           // gate open
    not_ready,       // gate closed
    unknown,         // the readiness says nothing; what then happens is the rule's `unknown`
    augmented,       // will be, if the answer allows
    learning,        // forwarded; a success teaches
    status_path,     // refused: the status endpoint is not for clients
};
std::string_view to_string(reason) noexcept;

// Send it on unchanged. With `learn`, a 2xx answer makes a resource not ready for the while.
struct forward {
    struct learning {
        std::size_t rule = 0;   // index into the rule table
        std::optional<uuid> id; // from the path; else it is in the answer's body
    };
    std::optional<learning> learn;
};

// Send it on asking for the whole, unencoded representation, and splice `info` into the answer.
struct augment {
    std::string consistency; // the value of info.resource_consistency: {"is_upload_ready":true,...}
    bool head = false;       // a HEAD: nothing to splice, only what would be untrue of the GET's answer goes
};

// Answer without the backend.
struct reply {
    int status = 404;
    std::string_view reason_phrase;
    std::string_view code;
    std::string_view reason;
    std::string_view suggestion;
    bool retry_after = false;
};

using action = std::variant<forward, augment, reply>;

struct decision {
    static constexpr std::size_t no_rule = static_cast<std::size_t>(-1);

    sidecar::action action;
    sidecar::reason reason = sidecar::reason::no_rule;
    std::size_t rule = no_rule; // index into config.rules.rules
    std::optional<uuid> id;     // of the resource, when a rule selected it
};

// {"error":404,"code":"..","reason":"..","suggestion":".."}: SPEC 1 and 6. One line of JSON.
std::string error_body(int status, std::string_view code, std::string_view reason, std::string_view suggestion);

} // namespace sidecar
