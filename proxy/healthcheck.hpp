// Asks a running sidecar's admin listener whether it is well, for container runtimes that only know how to run a
// program in the image. Blocks; used by the command, not by the server.
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/result.hpp"

#include <string>
#include <string_view>

namespace sidecar {

struct health {
    int status = 0;   // 200: well
    std::string body; // the reason, if not
};

// GET `path` at the admin listener's address; one that stands for all addresses is asked at loopback. Fails if there is
// no answer in time.
result<health> ask_health(const endpoint& admin, std::string_view path, milliseconds timeout);

} // namespace sidecar
