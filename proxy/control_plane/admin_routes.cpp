#include "proxy/control_plane/admin_routes.hpp"

#include "proxy/config/load_config.hpp"
#include "proxy/control_plane/admin_page.hpp"
#include "proxy/control_plane/exposition.hpp"
#include "proxy/control_plane/glance.hpp"
#include "proxy/control_plane/readiness_view.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>

namespace sidecar {
namespace {

constexpr std::size_t limit_default = 100;
constexpr std::size_t limit_max = 1000;

struct parameters {
    std::optional<std::string_view> id;
    std::size_t limit = limit_default;
};

// Ids and numbers need no percent-decoding; what is written otherwise is none.
parameters read_query(std::string_view query) {
    parameters read;
    while (!query.empty()) {
        const auto pair = query.substr(0, query.find('&'));
        query.remove_prefix(std::min(pair.size() + 1, query.size()));
        const auto equals = std::min(pair.find('='), pair.size());
        const auto name = pair.substr(0, equals);
        const auto value = pair.substr(std::min(equals + 1, pair.size()));
        if (name == "id") read.id = value;
        if (name == "limit") std::from_chars(value.data(), value.data() + value.size(), read.limit);
    }
    read.limit = std::min(read.limit, limit_max);
    return read;
}

admin_answer text(int status, std::string body) {
    admin_answer answer;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
}

admin_answer json(int status, std::string body) {
    auto answer = text(status, std::move(body));
    answer.content_type = "application/json";
    return answer;
}

admin_answer method_not_allowed() {
    auto answer = text(405, "reading only\n");
    answer.fields.emplace_back("Allow", "GET, HEAD");
    return answer;
}

admin_answer ready(const std::string& not_ready) {
    return not_ready.empty() ? text(200, "ready\n") : text(503, not_ready + "\n");
}

admin_answer alive(const std::string& not_alive) {
    return not_alive.empty() ? text(200, "alive\n") : text(503, not_alive + "\n");
}

admin_answer metrics(const standing& now) {
    auto answer = text(200, exposition(now));
    answer.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return answer;
}

admin_answer readiness_of(const standing& now, const parameters& asked) {
    if (!asked.id) return json(200, readiness_json(now, std::nullopt, asked.limit));
    const auto id = parse_uuid(*asked.id);
    if (!id) return json(400, "{\"error\":400,\"reason\":\"id is no UUID: 36 characters, 8-4-4-4-12\"}\n");
    return json(200, readiness_json(now, id, asked.limit));
}

std::string make_nonce() {
    std::random_device random;
    return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

admin_answer page(const standing& now, const parameters& asked) {
    const auto nonce = make_nonce();
    admin_answer answer;
    answer.content_type = "text/html; charset=utf-8";
    answer.body = admin_page(now, asked.id.value_or(""), nonce);
    answer.fields = {
        {"Content-Security-Policy",
         "default-src 'none'; script-src 'nonce-" + nonce + "'; style-src 'nonce-" + nonce +
             "'; connect-src 'self'; img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"},
        {"Referrer-Policy", "no-referrer"}};
    return answer;
}

} // namespace

admin_answer answer_admin(std::string_view method, std::string_view target, const admin_source& source) {
    if (method != "GET" && method != "HEAD") return method_not_allowed();
    const auto path = target.substr(0, target.find('?'));
    const auto asked = read_query(target.substr(std::min(path.size() + 1, target.size())));
    if (path == "/livez") return alive(source.not_alive ? source.not_alive() : "");
    if (path == "/readyz") return ready(source.not_ready());
    if (path == "/metrics") return metrics(source.look());
    if (path == "/config") return text(200, print_config(source.look().current->values));
    if (path == "/readiness") return readiness_of(source.look(), asked);
    if (path == "/status") return text(200, status_text(source.look()));
    if (path == "/") return page(source.look(), asked);
    return text(404, "here are: / /livez /readyz /metrics /config /readiness /status\n");
}

} // namespace sidecar
