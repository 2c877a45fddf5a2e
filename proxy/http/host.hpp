// The grammar of Host and of a target's authority (RFC 9110 7.2, RFC 3986 3.2.2 and 3.2.3), without user information.
#pragma once

#include <string_view>

namespace sidecar {

// uri-host [":" port]; may be empty (a request without authority). Lists, quotes and blanks are no hosts.
bool is_host(std::string_view text) noexcept;

} // namespace sidecar
