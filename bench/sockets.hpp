// The few socket calls that the benchmark's own programs share. Loopback only; a failure ends the program.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

namespace bench {

[[noreturn]] inline void fail(const char* what) {
    std::fprintf(stderr, "%s: %s\n", what, std::generic_category().message(errno).c_str());
    std::exit(1);
}

inline int checked(int result, const char* what) {
    if (result < 0) fail(what);
    return result;
}

inline sockaddr_in loopback(std::uint16_t port, std::uint32_t host = INADDR_LOOPBACK) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(host);
    address.sin_port = htons(port);
    return address;
}

// Accepted sockets inherit TCP_NODELAY from the listener: no system call for each.
inline int listen_on(std::uint16_t port) {
    const int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    checked(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on), "SO_REUSEADDR");
    checked(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    const auto address = loopback(port);
    checked(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    checked(listen(fd, 4096), "listen");
    return fd;
}

inline int listen_on(std::string_view path) {
    const int fd = checked(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    unlink(address.sun_path);
    checked(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
    checked(listen(fd, 4096), "listen");
    return fd;
}

// On loopback the handshake is over when connect returns, though it says EINPROGRESS. `source` is the client's own
// address (127.0.0.0/8): many short connections from one address would run out of ports.
inline int connect_to(std::uint16_t port, std::uint32_t source = INADDR_LOOPBACK) {
    const int fd = checked(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    const int on = 1;
    checked(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), "TCP_NODELAY");
    if (source != INADDR_LOOPBACK) {
        checked(setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on), "IP_BIND_ADDRESS_NO_PORT");
        const auto own = loopback(0, source);
        checked(bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own), "bind");
    }
    const auto address = loopback(port);
    if (connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 && errno != EINPROGRESS)
        fail("connect");
    return fd;
}

inline void watch(int epoll, int fd, std::uint32_t events, void* owner, int operation = EPOLL_CTL_ADD) {
    epoll_event event{};
    event.events = events;
    event.data.ptr = owner;
    checked(epoll_ctl(epoll, operation, fd, &event), "epoll_ctl");
}

inline void allow_many_descriptors() {
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

inline bool would_block() { return errno == EAGAIN || errno == EINTR; }

} // namespace bench
