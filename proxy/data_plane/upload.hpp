// The request's way up: its head, then its body as it comes from the client, until its end.
#pragma once

#include "proxy/data_plane/attempt.hpp"
#include "proxy/data_plane/task.hpp"

namespace sidecar {

// Ends with the attempt's upload complete or abandoned, or the attempt failed.
task<> upload(attempt&);

} // namespace sidecar
