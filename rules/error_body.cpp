#include "rules/json_quote.hpp"
#include "sidecar/action.hpp"

namespace sidecar {

std::string error_body(int status, std::string_view code, std::string_view reason, std::string_view suggestion) {
    std::string json = "{\"error\":" + std::to_string(status) + ",\"code\":";
    append_quoted(json, code);
    json += ",\"reason\":";
    append_quoted(json, reason);
    json += ",\"suggestion\":";
    append_quoted(json, suggestion);
    json += '}';
    return json;
}

} // namespace sidecar
