// Asks the admin listener of the sidecar that runs here, for an image in which there is no curl. Blocks; used by the
// commands, not by the server.
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/result.hpp"

#include <string>
#include <string_view>

namespace sidecar {

struct admin_response {
    int status = 0;
    std::string body;
};

// At the admin listener's address; one that stands for all addresses is asked at loopback. Fails if there is no whole
// response in time. `fields`: more header lines, each with its line end.
result<admin_response> ask_admin(const endpoint& admin, std::string_view method, std::string_view path,
                                 milliseconds timeout, std::string_view fields = {});

} // namespace sidecar
