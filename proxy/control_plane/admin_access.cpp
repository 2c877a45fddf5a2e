#include "proxy/control_plane/admin_access.hpp"

#include "proxy/control_plane/name_lookup.hpp"
#include "sidecar/message.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>

namespace sidecar {
namespace {

bool is_address(const std::string& host) {
    std::array<unsigned char, 16> bytes{};
    if (host.starts_with('['))
        return host.ends_with(']') && ::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), bytes.data()) == 1;
    return ::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1;
}

std::string_view without_port(std::string_view host_field) {
    const auto colon = host_field.rfind(':');
    const auto bracket = host_field.rfind(']');
    if (colon == std::string_view::npos || (bracket != std::string_view::npos && colon < bracket)) return host_field;
    return host_field.substr(0, colon);
}

bool same_host(const socket_address& a, const socket_address& b) {
    if (a.storage.ss_family != b.storage.ss_family) return false;
    if (a.storage.ss_family == AF_INET6)
        return IN6_ARE_ADDR_EQUAL(&reinterpret_cast<const sockaddr_in6&>(a.storage).sin6_addr,
                                  &reinterpret_cast<const sockaddr_in6&>(b.storage).sin6_addr);
    return a.storage.ss_family == AF_INET && reinterpret_cast<const sockaddr_in&>(a.storage).sin_addr.s_addr ==
                                                 reinterpret_cast<const sockaddr_in&>(b.storage).sin_addr.s_addr;
}

} // namespace

bool names_admin(std::string_view host_field, const std::vector<std::string>& hosts) {
    const auto host = without_port(host_field);
    return is_address(std::string(host)) || iequals(host, "localhost") ||
           std::any_of(hosts.begin(), hosts.end(), [host](const std::string& name) { return iequals(host, name); });
}

std::optional<std::string> drain_refusal(const drain_request& asked) {
    if (!is_loopback(asked.from) && !same_host(asked.from, asked.to)) return "only from this machine\n";
    if (asked.command != "drain") return "for `sidecar drain`\n";
    return std::nullopt;
}

} // namespace sidecar
