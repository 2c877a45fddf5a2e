// After a 101: bytes both ways, whatever they are, until both sides have ended or nothing moves for too long.
#pragma once

#include "proxy/data_plane/request_context.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/upstream.hpp"

namespace sidecar {

// `downward`: what the backend has sent behind its 101.
task<> tunnel(request_context&, upstream_connection&, buffer downward);

} // namespace sidecar
