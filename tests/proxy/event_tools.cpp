#include "tests/proxy/event_tools.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <stdexcept>

namespace sidecar::testing {

std::pair<int, int> unix_pair() {
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        throw std::runtime_error("socketpair");
    return {ends[0], ends[1]};
}

std::pair<int, int> tcp_pair() {
    const peer_socket listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    const int ours = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener.descriptor(), generic, length) != 0 || ::listen(listener.descriptor(), 1) != 0 ||
        ::getsockname(listener.descriptor(), generic, &length) != 0 || ::connect(ours, generic, length) != 0)
        throw std::runtime_error("a TCP pair");
    ::fcntl(ours, F_SETFL, O_NONBLOCK);
    const int theirs = ::accept4(listener.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    for (const int each : {ours, theirs}) { // what is sent is there at once
        const int one = 1;
        ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return {ours, theirs};
}

} // namespace sidecar::testing
