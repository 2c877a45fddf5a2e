#include "proxy/shared.hpp"

#include <netinet/in.h>
#include <sys/un.h>

#include <cstring>

namespace sidecar {
namespace {

template <class T>
const T& as(const socket_address& address) {
    return reinterpret_cast<const T&>(address.storage);
}

} // namespace

bool operator==(const socket_address& a, const socket_address& b) {
    if (a.storage.ss_family != b.storage.ss_family) return false;
    if (a.storage.ss_family == AF_UNIX)
        return std::strcmp(as<sockaddr_un>(a).sun_path, as<sockaddr_un>(b).sun_path) == 0;
    if (a.storage.ss_family == AF_INET6) {
        const auto &left = as<sockaddr_in6>(a), &right = as<sockaddr_in6>(b);
        return left.sin6_port == right.sin6_port &&
               std::memcmp(&left.sin6_addr, &right.sin6_addr, sizeof(in6_addr)) == 0;
    }
    const auto &left = as<sockaddr_in>(a), &right = as<sockaddr_in>(b);
    return left.sin_port == right.sin_port && left.sin_addr.s_addr == right.sin_addr.s_addr;
}

} // namespace sidecar
