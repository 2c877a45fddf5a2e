#include "proxy/shared.hpp"

#include <arpa/inet.h>
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

std::string to_string(const socket_address& address) {
    if (address.storage.ss_family == AF_UNIX) return "unix:" + std::string(as<sockaddr_un>(address).sun_path);
    char text[INET6_ADDRSTRLEN] = "";
    if (address.storage.ss_family == AF_INET6) {
        ::inet_ntop(AF_INET6, &as<sockaddr_in6>(address).sin6_addr, text, sizeof text);
        return "[" + std::string(text) + "]:" + std::to_string(ntohs(as<sockaddr_in6>(address).sin6_port));
    }
    ::inet_ntop(AF_INET, &as<sockaddr_in>(address).sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(as<sockaddr_in>(address).sin_port));
}

} // namespace sidecar
