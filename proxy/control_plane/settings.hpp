// From a configuration to settings: limits worked out, the rules compiled, and what names resolve to put in.
#pragma once

#include "proxy/shared.hpp"

#include <cstddef>
#include <memory>
#include <vector>

namespace sidecar {

// What the machine and the resolver say; the rest is in the configuration.
struct circumstances {
    unsigned workers = 1;
    std::size_t descriptors = 1024;                 // that the process may open
    std::vector<socket_address> upstream_addresses; // empty: not resolved (yet)
    std::vector<socket_address> status_addresses;   // of status.url's host, likewise
};

std::shared_ptr<const settings> make_settings(const config&, circumstances);

// By the connections that the configuration allows, those left to us aside.
std::size_t descriptors_wanted(const config&);

// The soft limit of open descriptors, raised to the hard one.
std::size_t raise_descriptor_limit();

} // namespace sidecar
