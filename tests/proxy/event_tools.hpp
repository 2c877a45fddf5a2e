// One worker's loop without the worker: Asio's context, the deadlines and the readiness set, turned by the test.
#pragma once

#include "proxy/data_plane/readiness_set.hpp"
#include "proxy/data_plane/stream.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/timer_queue.hpp"

#include <boost/asio/io_context.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

namespace sidecar::testing {

struct event_loop {
    boost::asio::io_context context{1};
    timer_queue timers{context};
    readiness_set set{context, timers};

    // What is ready now, and what follows from it.
    void turn() {
        context.restart();
        while (context.poll() > 0) continue;
    }
};

// A connected socket, played by the test.
class peer_socket {
public:
    explicit peer_socket(int descriptor = -1) noexcept : descriptor_(descriptor) {}
    ~peer_socket() { close(); }
    peer_socket(peer_socket&& from) noexcept : descriptor_(std::exchange(from.descriptor_, -1)) {}
    peer_socket& operator=(peer_socket&& from) noexcept {
        close();
        descriptor_ = std::exchange(from.descriptor_, -1);
        return *this;
    }
    peer_socket(const peer_socket&) = delete;
    peer_socket& operator=(const peer_socket&) = delete;

    int descriptor() const noexcept { return descriptor_; }
    std::size_t send(std::string_view bytes, int flags = 0) const {
        const auto n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT | flags);
        return n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    std::string receive() const {
        std::array<char, 65536> block;
        const auto n = ::recv(descriptor_, block.data(), block.size(), MSG_DONTWAIT);
        return {block.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
    }
    bool sees_end() const {
        char byte = 0;
        return ::recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0;
    }
    bool sees_reset() const {
        char byte = 0;
        return ::recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) < 0 && errno == ECONNRESET;
    }
    int release() noexcept { return std::exchange(descriptor_, -1); }
    void end_writing() const { ::shutdown(descriptor_, SHUT_WR); }
    void reset() {
        const linger at_once{1, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close();
    }
    void close() noexcept {
        if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    }

private:
    int descriptor_;
};

// Non-blocking, both.
std::pair<int, int> unix_pair();
std::pair<int, int> tcp_pair();

} // namespace sidecar::testing
