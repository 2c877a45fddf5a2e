#include "proxy/data_plane/own_answer.hpp"

#include <algorithm>

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
    case 414:
        return "URI Too Long";
    case 431:
        return "Request Header Fields Too Large";
    case 500:
        return "Internal Server Error";
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

void add(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ").append(value).append("\r\n");
}

// A browser shows an answer to the portal's script only if the answer says it may.
void add_cors(std::string& out, std::string_view origin, const own_answers_config& config) {
    const auto& allowed = config.cors_allow_origins;
    if (origin.empty() || allowed.empty()) return;
    if (std::find(allowed.begin(), allowed.end(), "*") != allowed.end()) {
        add(out, "Access-Control-Allow-Origin", "*");
    } else {
        add(out, "Vary", "Origin"); // whether this one is allowed or not
        if (std::find(allowed.begin(), allowed.end(), origin) == allowed.end()) return;
        add(out, "Access-Control-Allow-Origin", origin);
    }
    if (config.cors_expose_headers.empty()) return;
    std::string names;
    for (const auto& name : config.cors_expose_headers) names.append(names.empty() ? "" : ", ").append(name);
    add(out, "Access-Control-Expose-Headers", names);
}

} // namespace

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

std::string own_answer(const local_reply& what, const request_head& request, const own_answers_config& config,
                       persistence client, std::string_view date) {
    const auto body = error_body(what.status, what.code, what.reason, what.suggestion);
    const auto phrase = what.reason_phrase.empty() ? phrase_of(what.status) : what.reason_phrase;
    std::string out;
    out.reserve(512 + body.size());
    out.append("HTTP/1.1 ").append(std::to_string(what.status)).append(" ").append(phrase).append("\r\n");
    add(out, "Content-Type", "application/json");
    add(out, "Content-Length", std::to_string(body.size()));
    add(out, "Date", date);
    add(out, "Cache-Control", "no-cache");
    if (what.retry_after) add(out, "Retry-After", std::to_string(config.retry_after.count()));
    add_cors(out, request.value_of(known_field::origin), config);
    for (const auto& header : config.headers) add(out, header.name, header.value);
    if (client == persistence::close)
        add(out, "Connection", "close");
    else if (request.minor_version == 0)
        add(out, "Connection", "keep-alive");
    out += "\r\n";
    if (request.method != "HEAD") out += body;
    return out;
}

} // namespace sidecar
