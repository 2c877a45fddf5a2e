#include "proxy/control_plane/service_notify.hpp"

#include <fmt/format.h>

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

namespace sidecar {
namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

// A line break would begin the next assignment.
std::string one_line(std::string_view text) {
    std::string line(text);
    std::replace_if(
        line.begin(), line.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
    return line;
}

} // namespace

service_notify::service_notify(std::string socket) : socket_(std::move(socket)) {}

std::error_code service_notify::ready(std::string_view status) const {
    return send(fmt::format("READY=1\nSTATUS={}\n", one_line(status)));
}

std::error_code service_notify::reloading(std::chrono::nanoseconds now) const {
    const std::int64_t microseconds = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
    return send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", microseconds));
}

std::error_code service_notify::stopping(std::string_view status) const {
    return send(fmt::format("STOPPING=1\nSTATUS={}\n", one_line(status)));
}

std::error_code service_notify::send(std::string_view text) const {
    if (socket_.empty()) return {};
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    // A name in the abstract namespace begins with a zero byte; neither kind needs one at its end.
    if (socket_.size() >= sizeof address.sun_path || (socket_[0] != '/' && socket_[0] != '@'))
        return std::make_error_code(std::errc::invalid_argument);
    std::copy(socket_.begin(), socket_.end(), address.sun_path);
    if (socket_[0] == '@') address.sun_path[0] = '\0';
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return last_error();
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
    const auto sent =
        ::sendto(fd, text.data(), text.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), length);
    const auto error = sent < 0 ? last_error() : std::error_code{};
    ::close(fd);
    return error;
}

std::chrono::nanoseconds since_boot() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

} // namespace sidecar
