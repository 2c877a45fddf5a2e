#include "proxy/data_plane/local_reply.hpp"

#include "proxy/json/json_string.hpp"

#include <algorithm>
#include <string>

namespace sidecar {

namespace {

std::string_view phrase_of(int status) noexcept {
    switch (status) {
    case 400:
        return "Bad Request";
    case 404:
        return "Not Found";
    case 408:
        return "Request Timeout";
    case 412:
        return "Precondition Failed";
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
    case 501:
        return "Not Implemented";
    case 502:
        return "Bad Gateway";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "";
    }
}

std::string_view suggestion_for(int status) noexcept {
    switch (status) {
    case 408:
    case 502:
    case 503:
    case 504:
        return "please retry request";
    default:
        return "please check the request";
    }
}

template <class... Value>
void add_field(buffer& out, std::string_view name, const Value&... value) {
    out.append(name);
    out.append(": ");
    (out.append(value), ...);
    out.append("\r\n");
}

// A browser shows a reply to the portal's script only if the reply says it may.
void add_cors(buffer& out, std::string_view origin, const own_answers_config& config) {
    const auto& allowed = config.cors_allow_origins;
    if (origin.empty() || allowed.empty()) return;
    if (std::find(allowed.begin(), allowed.end(), "*") != allowed.end()) {
        add_field(out, "Access-Control-Allow-Origin", "*");
    } else {
        add_field(out, "Vary", "Origin"); // whether this one is allowed or not
        if (std::find(allowed.begin(), allowed.end(), origin) == allowed.end()) return;
        add_field(out, "Access-Control-Allow-Origin", origin);
    }
    if (config.cors_expose_headers.empty()) return;
    std::string names;
    for (const auto& name : config.cors_expose_headers) names.append(names.empty() ? "" : ", ").append(name);
    add_field(out, "Access-Control-Expose-Headers", names);
}

} // namespace

std::string error_body(const local_reply& what) {
    std::string json = "{\"error\":" + std::to_string(what.status) + ",\"code\":";
    append_json_string(json, what.code);
    json += ",\"reason\":";
    append_json_string(json, what.reason);
    json += ",\"suggestion\":";
    append_json_string(json, what.suggestion);
    return json += '}';
}

local_reply error_reply(int status, std::string_view reason) {
    local_reply made;
    made.status = status;
    made.reason_phrase = phrase_of(status);
    made.code = "not_provided"; // the API's word where there is no special one
    made.reason = reason;
    made.suggestion = suggestion_for(status);
    made.retry_after = status == 503;
    return made;
}

void write_local_reply(const local_reply& what, const request_head& request, const own_answers_config& config,
                       persistence client, std::string_view date, buffer& out) {
    const auto body = error_body(what);
    out.append("HTTP/1.1 ");
    out.append(std::to_string(what.status));
    out.append(" ");
    out.append(what.reason_phrase.empty() ? phrase_of(what.status) : what.reason_phrase);
    out.append("\r\n");
    add_field(out, "Content-Type", "application/json");
    add_field(out, "Content-Length", std::to_string(body.size()));
    add_field(out, "Date", date);
    add_field(out, "Cache-Control", "no-cache");
    if (what.retry_after) add_field(out, "Retry-After", std::to_string(config.retry_after.count()));
    add_cors(out, request.value_of(known_field::origin), config);
    for (const auto& header : config.headers) add_field(out, header.name, header.value);
    if (client == persistence::close)
        add_field(out, "Connection", "close");
    else if (request.minor_version == 0)
        add_field(out, "Connection", "keep-alive");
    out.append("\r\n");
    if (request.method != "HEAD") out.append(body);
}

} // namespace sidecar
