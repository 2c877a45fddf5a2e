#include "proxy/program/admin_client.hpp"

#include "proxy/config/config_values.hpp"
#include "proxy/control_plane/name_lookup.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace sidecar {
namespace {

using std::chrono::steady_clock;

constexpr std::size_t response_bytes_max = 256 * mib;

failure because(int error) { return failure{std::generic_category().message(error)}; }

endpoint reachable(endpoint admin) {
    if (admin.host == "0.0.0.0") admin.host = "127.0.0.1";
    if (admin.host == "::") admin.host = "::1";
    return admin;
}

// An address in any case, which needs no entry in admin.hosts.
std::string host_of(const socket_address& address) { return to_string(address); }

class connection_in_time {
public:
    explicit connection_in_time(int family, steady_clock::time_point deadline)
        : descriptor_(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)),
          deadline_(deadline) {}
    ~connection_in_time() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    connection_in_time(const connection_in_time&) = delete;
    connection_in_time& operator=(const connection_in_time&) = delete;

    // Each: 0 or an errno.
    int connect(const socket_address& to) {
        if (descriptor_ < 0) return errno;
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&to.storage), to.length) == 0) return 0;
        if (errno != EINPROGRESS) return errno;
        if (const int late = wait(POLLOUT)) return late;
        int error = 0;
        socklen_t length = sizeof error;
        ::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length);
        return error;
    }
    int send(std::string_view bytes) {
        while (!bytes.empty()) {
            if (const int late = wait(POLLOUT)) return late;
            const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (sent < 0 && errno != EAGAIN && errno != EINTR) return errno;
            if (sent > 0) bytes.remove_prefix(static_cast<std::size_t>(sent));
        }
        return 0;
    }
    // Until the other side closes.
    int read_to_end(std::string& into) {
        std::array<char, 16 * kib> bytes{};
        while (into.size() < response_bytes_max) {
            if (const int late = wait(POLLIN)) return late;
            const auto got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
            if (got == 0) return 0;
            if (got < 0 && errno != EAGAIN && errno != EINTR) return errno;
            if (got > 0) into.append(bytes.data(), static_cast<std::size_t>(got));
        }
        return 0;
    }

private:
    int wait(short events) const {
        for (;;) {
            const auto left = std::chrono::ceil<milliseconds>(deadline_ - steady_clock::now());
            pollfd watched{descriptor_, events, 0};
            const int ready = ::poll(&watched, 1, static_cast<int>(std::max(milliseconds(0), left).count()));
            if (ready > 0) return 0;
            if (ready == 0) return ETIMEDOUT;
            if (errno != EINTR) return errno;
        }
    }

    const int descriptor_;
    const steady_clock::time_point deadline_;
};

// Of what was read until the end: whole, by its Content-Length.
result<admin_response> parse(const std::string& read) {
    const auto status = read.starts_with("HTTP/1.") && read.size() >= 12 ? read_count(read.substr(9, 3)) : std::nullopt;
    const auto head_end = read.find("\r\n\r\n");
    if (!status || head_end == std::string::npos) return failure{"the response is not HTTP"};
    const std::string_view field = "\r\nContent-Length: ";
    const auto body = read.substr(head_end + 4);
    const auto at = std::string_view(read).substr(0, head_end).find(field);
    if (at != std::string::npos) {
        const auto value = std::string_view(read).substr(at + field.size());
        if (read_count(value.substr(0, value.find('\r'))) != body.size()) return failure{"the response was cut off"};
    }
    return admin_response{static_cast<int>(*status), body};
}

} // namespace

result<admin_response> ask_admin(const endpoint& admin, std::string_view method, std::string_view path,
                                 milliseconds timeout, std::string_view fields) {
    const auto where = reachable(admin);
    const auto addresses = look_up_now(where);
    if (addresses.empty()) return failure{"'" + where.host + "' does not resolve"};
    const auto& address = addresses.front();
    connection_in_time connection(address.storage.ss_family, steady_clock::now() + timeout);
    std::string request(method);
    request.append(" ").append(path).append(" HTTP/1.1\r\nHost: ").append(host_of(address));
    request.append("\r\nUser-Agent: sidecar\r\nConnection: close\r\n").append(fields).append("\r\n");
    std::string read;
    if (const int error = connection.connect(address)) return because(error);
    if (const int error = connection.send(request)) return because(error);
    if (const int error = connection.read_to_end(read)) return because(error);
    return parse(read);
}

} // namespace sidecar
