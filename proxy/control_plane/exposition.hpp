// The counters in Prometheus' text format. Names and units by its conventions; the labels are words and rule names
// from the configuration, never an id or a path.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <string>

namespace sidecar {

std::string exposition(const standing&);

} // namespace sidecar
