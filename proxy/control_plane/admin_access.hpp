// Who may ask the admin listener what: against pages in a browser, which reach it by a name of their own (DNS
// rebinding) or from a machine that may. Pure.
#pragma once

#include "proxy/shared.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

// Whether a Host field names the listener: by an address, as `localhost`, or by one of the names of admin.hosts.
bool names_admin(std::string_view host_field, const std::vector<std::string>& hosts);

// The field that `sidecar drain` sends. A page can't send it to another origin without asking first, and is told no.
inline constexpr std::string_view command_field = "X-Sidecar-Command";

// What comes with POST /drain, and from whom.
struct drain_request {
    std::string_view command; // value of command_field
    socket_address from;
    socket_address to; // the listener's end of the connection
};

// Why not; nullopt: it may. Only from this machine (in a pod, from any of its containers), as a signal would come.
std::optional<std::string> drain_refusal(const drain_request&);

} // namespace sidecar
