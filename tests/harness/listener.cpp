#include "tests/harness/listener.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace harness {

namespace {

[[noreturn]] void fail(const char* what) {
    throw std::runtime_error(std::string(what) + ": " + std::generic_category().message(errno));
}

int bind_to(std::uint16_t& port) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    const int one = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (::bind(descriptor, generic, size) != 0 || ::getsockname(descriptor, generic, &size) != 0) {
        ::close(descriptor);
        fail("bind");
    }
    port = ntohs(address.sin_port);
    return descriptor;
}

} // namespace

listener::listener(std::uint16_t port, int backlog) : port_(port), held_(bind_to(port_)) { listen_again(backlog); }

listener::~listener() {
    close();
    ::close(held_);
}

void listener::listen_again(int backlog) {
    close();
    descriptor_ = bind_to(port_);
    if (::listen(descriptor_, backlog) != 0) fail("listen");
}

wire listener::accept() {
    pollfd one{descriptor_, POLLIN, 0};
    if (::poll(&one, 1, static_cast<int>(patience.count())) <= 0)
        throw std::runtime_error("backend: waited in vain for a connection");
    const int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC);
    if (accepted < 0) fail("accept");
    return {accepted, "backend"};
}

bool listener::has_connection() {
    pollfd one{descriptor_, POLLIN, 0};
    return ::poll(&one, 1, 0) > 0;
}

void listener::close() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

closed_port::closed_port() { descriptor_ = bind_to(port_); }
closed_port::~closed_port() { ::close(descriptor_); }

} // namespace harness
