// The parts of status.url: http://host[:port]/path[?query], or https.
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/result.hpp"

#include <string>
#include <string_view>

namespace sidecar {

struct http_url {
    bool tls = false;
    endpoint origin;
    std::string host_field; // as it goes into `Host`: without the scheme's own port, IPv6 in brackets
    std::string target;     // path and query, as it goes into the request line
    std::string path;       // without the query
};

// 127.1, 2130706433, 0x7f.1: resolvers take them for addresses, and nobody else does (not the check of a certificate).
bool is_odd_address(std::string_view host) noexcept;

// No user and password (they belong into status.headers), no fragment.
result<http_url> parse_http_url(std::string_view text);

} // namespace sidecar
