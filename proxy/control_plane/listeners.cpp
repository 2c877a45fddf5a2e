#include "proxy/control_plane/listeners.hpp"

#include "proxy/control_plane/name_lookup.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace sidecar {
namespace {

[[noreturn]] void fail(const endpoint& where, const std::string& why) {
    throw std::runtime_error("listen.address " + where.host + ":" + std::to_string(where.port) + ": " + why);
}

[[noreturn]] void fail(const endpoint& where, int error) { fail(where, std::system_category().message(error)); }

enum class sharing : bool { alone, with_others };

// Closes itself unless it is released.
class open_socket {
public:
    open_socket(const endpoint& where, const socket_address& address, sharing share)
        : descriptor_(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        if (descriptor_ < 0) fail(where, errno);
        set(SOL_SOCKET, SO_REUSEADDR);
        if (share == sharing::with_others) set(SOL_SOCKET, SO_REUSEPORT);
        set(IPPROTO_TCP, TCP_NODELAY); // accepted sockets have it from the listening one
        if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address.storage), address.length) != 0) {
            const int error = errno;
            ::close(descriptor_);
            fail(where, error);
        }
    }
    ~open_socket() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    open_socket(const open_socket&) = delete;
    open_socket& operator=(const open_socket&) = delete;

    int get() const noexcept { return descriptor_; }
    int release() noexcept { return std::exchange(descriptor_, -1); }

private:
    void set(int level, int option) const {
        const int on = 1;
        ::setsockopt(descriptor_, level, option, &on, sizeof on);
    }

    int descriptor_;
};

socket_address local_address(int descriptor) {
    socket_address local;
    local.length = sizeof local.storage;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&local.storage), &local.length);
    return local;
}

std::uint16_t port_of(const socket_address& address) {
    return ntohs(address.storage.ss_family == AF_INET6
                     ? reinterpret_cast<const sockaddr_in6&>(address.storage).sin6_port
                     : reinterpret_cast<const sockaddr_in&>(address.storage).sin_port);
}

} // namespace

listeners::listeners(const listen_config& values, unsigned count) {
    const auto& where = values.address;
    const auto found = look_up_now(where);
    if (found.empty()) fail(where, "the name does not resolve");
    auto address = found.front();
    // Only a socket that does not share finds out that somebody listens there already.
    if (where.port != 0) const open_socket alone(where, address, sharing::alone);
    for (unsigned i = 0; i < count; ++i) {
        open_socket next(where, address, sharing::with_others);
        if (i == 0) address = local_address(next.get());
        if (::listen(next.get(), values.backlog) != 0) fail(where, errno);
        sockets_.push_back(next.release());
    }
    port_ = port_of(address);
}

listeners::~listeners() {
    for (const int each : sockets_)
        if (each >= 0) ::close(each);
}

int listeners::take(std::size_t index) { return std::exchange(sockets_.at(index), -1); }

} // namespace sidecar
