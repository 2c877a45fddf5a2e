#include "proxy/healthcheck.hpp"

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

constexpr std::size_t answer_bytes_max = 16 * kib;

failure because(int error) { return failure{std::generic_category().message(error)}; }

endpoint reachable(endpoint admin) {
    if (admin.host == "0.0.0.0") admin.host = "127.0.0.1";
    if (admin.host == "::") admin.host = "::1";
    return admin;
}

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
        std::array<char, 4096> bytes{};
        while (into.size() < answer_bytes_max) {
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

} // namespace

result<health> ask_health(const endpoint& admin, std::string_view path, milliseconds timeout) {
    const auto where = reachable(admin);
    const auto addresses = look_up_now(where);
    if (addresses.empty()) return failure{"'" + where.host + "' does not resolve"};
    const auto& address = addresses.front();
    connection_in_time connection(address.storage.ss_family, steady_clock::now() + timeout);
    std::string request = "GET ";
    request.append(path).append(" HTTP/1.1\r\nHost: ").append(print_endpoint(where));
    request.append("\r\nUser-Agent: sidecar-healthcheck\r\nConnection: close\r\n\r\n");
    std::string answer;
    if (const int error = connection.connect(address)) return because(error);
    if (const int error = connection.send(request)) return because(error);
    if (const int error = connection.read_to_end(answer)) return because(error);

    // HTTP/1.1 200 ..
    const auto status =
        answer.starts_with("HTTP/1.") && answer.size() >= 12 ? read_count(answer.substr(9, 3)) : std::nullopt;
    const auto body_at = answer.find("\r\n\r\n");
    if (!status || body_at == std::string::npos) return failure{"the answer is not HTTP"};
    return health{static_cast<int>(*status), answer.substr(body_at + 4)};
}

} // namespace sidecar
