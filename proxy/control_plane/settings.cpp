#include "proxy/control_plane/settings.hpp"

#include "proxy/control_plane/name_lookup.hpp"
#include "proxy/http/http_url.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <string>
#include <utility>

namespace sidecar {
namespace {

// Kept back from the clients: listeners, loops, logs, the admin listener's connections, the poll, libraries.
constexpr std::size_t descriptors_kept_back = 160;
// `auto` stops here, where it is memory that counts and no longer descriptors.
constexpr std::size_t connections_auto_max = 100'000;

std::size_t share_of(std::size_t total, unsigned workers) { return (total + workers - 1) / workers; }

// A client and the connection to the backend that it may need: two descriptors.
std::size_t connections_auto(std::size_t descriptors) {
    const auto usable = descriptors > descriptors_kept_back ? descriptors - descriptors_kept_back : 0;
    return std::clamp<std::size_t>(usable / 2, 16, connections_auto_max);
}

bool lead_to_the_same(const std::vector<socket_address>& a, const std::vector<socket_address>& b) {
    const auto meets = [&b](const socket_address& one) {
        return std::any_of(b.begin(), b.end(), [&](const socket_address& other) {
            return one == other || (is_loopback(one) && is_loopback(other));
        });
    };
    return std::any_of(a.begin(), a.end(), meets);
}

bool lead_here(const std::vector<socket_address>& all) {
    return all.empty() || std::any_of(all.begin(), all.end(), is_loopback);
}

// docs/behaviour.md 7: what the poll reads at the clients' backend is not for clients. In doubt (a name that does not
// resolve yet), the same port is enough.
bool on_the_clients_backend(const http_url& url, const config& values, const circumstances& now) {
    const auto& upstream = values.upstream.address;
    // Behind a socket is a process of this machine or pod, wherever url leads: it may well be the backend.
    if (!values.status.socket.empty()) return true;
    if (!upstream.path.empty()) return lead_here(now.status_addresses);
    if (url.origin.port != upstream.port) return false;
    if (url.origin.host == upstream.host) return true;
    if (now.status_addresses.empty() || now.upstream_addresses.empty()) return true;
    return lead_to_the_same(now.status_addresses, now.upstream_addresses);
}

std::string hidden_path(const config& values, const circumstances& now) {
    if (values.status.expose) return {};
    const auto url = parse_http_url(values.status.url);
    if (!url || !on_the_clients_backend(*url, values, now)) return {};
    return url->path;
}

// As a Host field has it (RFC 9110 7.2); a Unix socket has none of its own.
std::string authority_of(const endpoint& backend) {
    if (!backend.path.empty()) return "localhost";
    const bool is_v6 = backend.host.find(':') != std::string::npos;
    const auto host = is_v6 ? "[" + backend.host + "]" : backend.host;
    return backend.port == 80 ? host : host + ":" + std::to_string(backend.port);
}

} // namespace

std::shared_ptr<const settings> make_settings(const config& values, circumstances now) {
    const auto clients =
        values.downstream.connections_max != 0 ? values.downstream.connections_max : connections_auto(now.descriptors);
    const auto upstream = values.upstream.connections_max != 0 ? values.upstream.connections_max : clients;
    const auto workers = std::max(1U, now.workers);
    rule_table rules(values.rules, hidden_path(values, now));
    const auto fingerprint = rules.needs().fingerprint();
    return std::make_shared<const settings>(settings{
        .values = values,
        .rules = std::move(rules),
        .upstream_addresses = std::move(now.upstream_addresses),
        .connections_max = share_of(clients, workers),
        .upstream_connections_max = share_of(upstream, workers),
        .upstream_idle_max = share_of(values.upstream.idle_connections_max, workers),
        .upstream_pending_max = share_of(values.upstream.pending_max, workers),
        .augment_held_max = share_of(values.rules.augment_held_max, workers),
        .upstream_authority = authority_of(values.upstream.address),
        .schema_fingerprint = fingerprint,
    });
}

std::size_t descriptors_wanted(const config& values) {
    const auto clients = values.downstream.connections_max;
    const auto upstream = values.upstream.connections_max;
    return clients + (upstream != 0 ? upstream : clients);
}

std::size_t raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        const rlimit raised{limit.rlim_max, limit.rlim_max};
        if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    }
    return static_cast<std::size_t>(limit.rlim_cur);
}

} // namespace sidecar
