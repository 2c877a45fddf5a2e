#include "proxy/control_plane/listeners.hpp"

#include "proxy/config/config_values.hpp"
#include "proxy/control_plane/name_lookup.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>

namespace sidecar {
namespace {

[[noreturn]] void fail(const endpoint& where, const std::string& why) {
    throw std::runtime_error("listen.address " + print_endpoint(where) + ": " + why);
}

[[noreturn]] void fail(const endpoint& where, int error) { fail(where, std::system_category().message(error)); }

enum class sharing : bool { alone, with_others };

// Closes itself unless it is released.
class open_socket {
public:
    open_socket(const endpoint& where, const socket_address& address, sharing share, unsigned mode = 0)
        : descriptor_(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        if (descriptor_ < 0) fail(where, errno);
        if (address.storage.ss_family == AF_UNIX) {
            ::fchmod(descriptor_, mode); // the file is made with it: at no time may more connect than should
        } else {
            set(SOL_SOCKET, SO_REUSEADDR);
            if (share == sharing::with_others) set(SOL_SOCKET, SO_REUSEPORT);
            set(IPPROTO_TCP, TCP_NODELAY); // accepted sockets have it from the listening one
        }
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

// Whether somebody listens on a socket's file.
bool is_served(const socket_address& address) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return true; // in doubt
    const int refused = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
    const int error = errno;
    ::close(descriptor);
    return refused == 0 || (error != ECONNREFUSED && error != ENOENT);
}

// What a process left that did not end by itself.
void remove_stale(const endpoint& where, const socket_address& address) {
    struct stat found {};
    if (::lstat(where.path.c_str(), &found) != 0) return;
    if (!S_ISSOCK(found.st_mode)) fail(where, "is there already, and is not a socket");
    if (is_served(address)) fail(where, EADDRINUSE);
    if (::unlink(where.path.c_str()) != 0) fail(where, errno);
}

} // namespace

socket_file::socket_file(std::string path) : path_(std::move(path)) {
    struct stat made {};
    if (::lstat(path_.c_str(), &made) != 0) return;
    device_ = made.st_dev;
    inode_ = made.st_ino;
}

socket_file::~socket_file() {
    struct stat there {};
    if (path_.empty() || ::lstat(path_.c_str(), &there) != 0) return;
    if (there.st_dev == device_ && there.st_ino == inode_) ::unlink(path_.c_str());
}

socket_file::socket_file(socket_file&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

socket_file& socket_file::operator=(socket_file&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(device_, other.device_);
    std::swap(inode_, other.inode_);
    return *this;
}

listeners::listeners(const listen_config& values, unsigned count) {
    values.address.path.empty() ? open_tcp(values, count) : open_unix(values, count);
}

void listeners::open_tcp(const listen_config& values, unsigned count) {
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

void listeners::open_unix(const listen_config& values, unsigned count) {
    const auto& where = values.address;
    const auto address = look_up_now(where).front();
    remove_stale(where, address);
    open_socket first(where, address, sharing::alone, values.socket_mode);
    file_ = socket_file(where.path);
    if (::chmod(where.path.c_str(), values.socket_mode) != 0) fail(where, errno); // whatever the umask
    if (::listen(first.get(), values.backlog) != 0) fail(where, errno);
    for (unsigned i = 1; i < count; ++i) {
        const int shared = ::fcntl(first.get(), F_DUPFD_CLOEXEC, 0);
        if (shared < 0) fail(where, errno);
        sockets_.push_back(shared);
    }
    sockets_.push_back(first.release());
}

listeners::~listeners() {
    for (const int each : sockets_)
        if (each >= 0) ::close(each);
}

int listeners::take(std::size_t index) { return std::exchange(sockets_.at(index), -1); }

} // namespace sidecar
