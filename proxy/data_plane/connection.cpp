#include "proxy/data_plane/connection.hpp"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace sidecar {

namespace {

constexpr std::size_t pieces_max = IOV_MAX;

// The C library's recv() and send() are points of cancellation, at which a program with threads pays for two atomic
// operations; that was 3 % of a request. Sanitizers know the library's calls only.
#ifdef SIDECAR_SANITIZED
ssize_t receive(int from, void* into, std::size_t size, int flags) noexcept { return ::recv(from, into, size, flags); }

ssize_t send(int to, std::string_view bytes) noexcept { return ::send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL); }
#else
ssize_t receive(int from, void* into, std::size_t size, int flags) noexcept {
    return ::syscall(SYS_recvfrom, from, into, size, flags, nullptr, nullptr);
}

ssize_t send(int to, std::string_view bytes) noexcept {
    return ::syscall(SYS_sendto, to, bytes.data(), bytes.size(), MSG_NOSIGNAL, nullptr, 0);
}
#endif

} // namespace

bool connection::open(event_loop& loop, int descriptor, event_target* owner) noexcept {
    loop_ = &loop;
    owner_ = owner;
    descriptor_ = descriptor;
    readable_ = writable_ = end_seen_ = error_seen_ = urgent_seen_ = false;
    if (loop.add(descriptor, *this)) return true;
    ::close(std::exchange(descriptor_, -1));
    return false;
}

void connection::on_event(std::uint32_t events) {
    if (events & EPOLLIN) readable_ = true;
    if (events & EPOLLPRI) readable_ = urgent_seen_ = true;
    if (events & EPOLLOUT) writable_ = true;
    if (events & EPOLLRDHUP) readable_ = end_seen_ = true;
    if (events & (EPOLLERR | EPOLLHUP)) {
        // EPOLLHUP without an error: both sides have ended, which a half-closed peer also brings about.
        readable_ = writable_ = true;
        if (events & EPOLLERR) error_seen_ = true;
    }
    if (owner_) owner_->on_event(events);
}

// EINTR aside.
io_result connection::failed_read() noexcept {
    if (errno == EAGAIN) {
        readable_ = false;
        return {io::again, 0, 0};
    }
    error_seen_ = true;
    return {io::error, 0, errno};
}

io_result connection::read(std::span<char> into) noexcept {
    for (;;) {
        const auto n = receive(descriptor_, into.data(), into.size(), 0);
        if (n > 0) {
            // A short read has emptied the socket; what comes later brings an event. An end that was told of already
            // would not be told of again.
            const bool is_short = static_cast<std::size_t>(n) < into.size();
            if (is_short && !end_seen_ && !urgent_seen_) readable_ = false;
            return {io::done, static_cast<std::size_t>(n), 0};
        }
        if (n == 0) {
            readable_ = true;
            end_seen_ = true;
            return {io::end, 0, 0};
        }
        if (errno != EINTR) return failed_read();
    }
}

io_result connection::read(pipe_buffer& into, std::size_t at_most) noexcept {
    for (;;) {
        const auto n =
            ::splice(descriptor_, nullptr, into.write_end(), nullptr, at_most, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n > 0) {
            into.commit(static_cast<std::size_t>(n));
            return {io::done, static_cast<std::size_t>(n), 0};
        }
        if (n == 0) return {io::again, 0, 0};
        // Before an urgent byte that is EAGAIN, too, but the event of it is on its way then.
        if (errno != EINTR) return failed_read();
    }
}

template <class Send>
io_result connection::write_by(const Send& send, std::size_t offered) noexcept {
    for (;;) {
        const auto n = send();
        if (n >= 0) {
            // A short write has filled the socket; room brings an event.
            if (static_cast<std::size_t>(n) < offered) writable_ = false;
            return {io::done, static_cast<std::size_t>(n), 0};
        }
        if (errno == EINTR) continue;
        if (errno == EAGAIN) {
            writable_ = false;
            return {io::again, 0, 0};
        }
        error_seen_ = true;
        readable_ = true; // what the peer said before is still to be read
        return {io::error, 0, errno};
    }
}

io_result connection::write(std::string_view from) noexcept {
    return write_by([&] { return sidecar::send(descriptor_, from); }, from.size());
}

io_result connection::write(pipe_buffer& from) noexcept {
    const auto written = write_by(
        [&] {
            return ::splice(from.read_end(), nullptr, descriptor_, nullptr, from.size(),
                            SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        },
        from.size());
    from.consume(written.bytes);
    return written;
}

io_result connection::write(std::span<const iovec> from) noexcept {
    if (from.size() == 1) return write(std::string_view(static_cast<const char*>(from[0].iov_base), from[0].iov_len));
    std::size_t offered = 0;
    for (const auto& piece : from) offered += piece.iov_len;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(from.data());
    message.msg_iovlen = std::min<std::size_t>(from.size(), pieces_max);
    return write_by([&] { return ::sendmsg(descriptor_, &message, MSG_NOSIGNAL); }, offered);
}

bool connection::is_quiet() noexcept {
    if (end_seen_ || error_seen_) return false;
    // What it remembers may be out of date: a read that filled its buffer to the byte may have emptied the socket too.
    char byte = 0;
    readable_ = receive(descriptor_, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN;
    return !readable_;
}

int connection::connect_error() noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
    return error;
}

void connection::end_writing() noexcept { ::shutdown(descriptor_, SHUT_WR); }

void connection::close() noexcept {
    if (descriptor_ < 0) return;
    loop_->remove(descriptor_);
    ::close(std::exchange(descriptor_, -1));
}

void connection::reset() noexcept {
    if (descriptor_ < 0) return;
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

} // namespace sidecar
