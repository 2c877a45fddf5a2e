#include "proxy/shared.hpp"

#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

namespace sidecar {

// By what is meant: the bytes behind a Unix socket's path, or of an IPv6 flow, are not compared.
bool operator==(const socket_address& a, const socket_address& b) {
    if (a.storage.ss_family != b.storage.ss_family) return false;
    if (a.storage.ss_family == AF_UNIX) {
        const auto& x = reinterpret_cast<const sockaddr_un&>(a.storage);
        const auto& y = reinterpret_cast<const sockaddr_un&>(b.storage);
        return std::strcmp(x.sun_path, y.sun_path) == 0;
    }
    if (a.storage.ss_family == AF_INET6) {
        const auto& x = reinterpret_cast<const sockaddr_in6&>(a.storage);
        const auto& y = reinterpret_cast<const sockaddr_in6&>(b.storage);
        return x.sin6_port == y.sin6_port && std::memcmp(&x.sin6_addr, &y.sin6_addr, sizeof(in6_addr)) == 0;
    }
    const auto& x = reinterpret_cast<const sockaddr_in&>(a.storage);
    const auto& y = reinterpret_cast<const sockaddr_in&>(b.storage);
    return x.sin_port == y.sin_port && x.sin_addr.s_addr == y.sin_addr.s_addr;
}

} // namespace sidecar
