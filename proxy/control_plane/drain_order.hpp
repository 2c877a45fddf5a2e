// Orders the sidecar that runs here to drain, as SIGTERM does: for a preStop hook in an image that has no `kill`.
#pragma once

#include "sidecar/result.hpp"

#include <filesystem>

namespace sidecar {

// Every other process of this program that may be seen and signalled: in a container, the one. How many; an error if
// there is none. `processes` is /proc, or what a test puts in its place.
result<int> order_drain(const std::filesystem::path& processes = "/proc");

} // namespace sidecar
