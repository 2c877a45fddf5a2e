// The path of a request as three lamps, and readiness below: what the admin page and /status show first. Pure.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <string>
#include <vector>

namespace sidecar {

struct lamp {
    std::string name;
    health level = health::ok; // ok, degraded or failing
    std::string figure;        // the one that counts, large
    std::string unit;
    std::string line; // the others
};

struct glance {
    verdict said;
    lamp clients, sidecar, backend, readiness;
    std::string identity; // pod, version, for how long
};

glance look_at_a_glance(const standing&);

// For /status: "failing: backend unreachable for 42 s: every request fails", and the lamps below.
std::string status_text(const standing&);

} // namespace sidecar
