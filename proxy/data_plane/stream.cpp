#include "proxy/data_plane/stream.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace sidecar {

namespace {

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

iovec piece(std::string_view bytes) noexcept { return {const_cast<char*>(bytes.data()), bytes.size()}; }

// To copy few bytes together costs less than to have the kernel gather them.
constexpr std::size_t copied_max = 4096;

ssize_t send(int to, const outgoing& from) noexcept {
    if (from.second.empty()) return send(to, from.first);
    if (from.first.empty()) return send(to, from.second);
    if (from.size() <= copied_max) {
        char copy[copied_max];
        std::memcpy(copy, from.first.data(), from.first.size());
        std::memcpy(copy + from.first.size(), from.second.data(), from.second.size());
        return send(to, std::string_view(copy, from.size()));
    }
    iovec pieces[] = {piece(from.first), piece(from.second)};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    return ::sendmsg(to, &message, MSG_NOSIGNAL);
}

} // namespace

void outgoing::advance(std::size_t n) noexcept {
    const auto of_first = std::min(n, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(n - of_first);
}

stream::stream(readiness_set& set, timer_queue& timers) noexcept : set_(set), reader_(timers), writer_(timers) {}

std::error_code stream::open(int descriptor) noexcept {
    descriptor_ = descriptor;
    readable_ = writable_ = end_seen_ = reset_ = hung_up_ = writing_ended_ = urgent_seen_ = false;
    const auto error = set_.add(descriptor, *this);
    if (error) ::close(std::exchange(descriptor_, -1));
    return error;
}

void stream::on_ready(std::uint32_t events) {
    if (events & EPOLLIN) readable_ = true;
    if (events & EPOLLPRI) readable_ = urgent_seen_ = true;
    if (events & EPOLLOUT) writable_ = true;
    if (events & EPOLLRDHUP) readable_ = end_seen_ = true;
    if (events & (EPOLLERR | EPOLLHUP)) readable_ = writable_ = true;
    if (events & EPOLLERR) reset_ = true;
    // Both sides have ended. If this one has not, the peer has closed; there may still be bytes to read.
    if ((events & EPOLLHUP) && !writing_ended_) hung_up_ = true;
    if (tied_ && has_left(tie_on_)) tied_->cancel_waits();
    if (idle_owner_ && (readable_ || reset_)) return idle_owner_->stirred(*this);
    // The writer first: the reader may end all this, and the writer is then only one of what it ends.
    const bool also_reads = readable_ && reader_.waiting();
    if (writable_ && writer_.waiting()) {
        if (also_reads) reader_.resume_later(wake::ready);
        return writer_.resume(wake::ready);
    }
    if (also_reads) reader_.resume(wake::ready);
}

void stream::cancel_waits() noexcept {
    reader_.resume_later(wake::cancelled);
    writer_.resume_later(wake::cancelled);
}

void stream::abandon() noexcept {
    reset_ = true;
    cancel_waits();
    if (tied_) tied_->cancel_waits();
}

io_result stream::failed(int error, bool& flag) noexcept {
    if (error == EAGAIN) {
        flag = false;
        return {io::again, 0};
    }
    reset_ = true;
    return {io::error, 0};
}

io_result stream::read_some(std::span<char> into) noexcept {
    while (readable_) {
        const auto n = receive(descriptor_, into.data(), into.size(), 0);
        if (n > 0) {
            // A short read has emptied the socket; what comes later brings an event. An end that was told of already
            // would not be told of again.
            const bool is_short = static_cast<std::size_t>(n) < into.size();
            if (is_short && !end_seen_ && !urgent_seen_) readable_ = false;
            return {io::done, static_cast<std::size_t>(n)};
        }
        if (n == 0) {
            end_seen_ = true;
            // An error that another call has taken reads as an end; it is none.
            return {reset_ ? io::error : io::end, 0};
        }
        if (errno != EINTR) return failed(errno, readable_);
    }
    return {io::again, 0};
}

io_result stream::write_some(outgoing& from) noexcept {
    if (reset_) {
        readable_ = true; // what the peer said before is still to be read
        return {io::error, 0};
    }
    for (;;) {
        const auto n = send(descriptor_, from);
        if (n >= 0) {
            const auto written = static_cast<std::size_t>(n);
            // A short write has filled the socket; room brings an event.
            if (written < from.size()) writable_ = false;
            from.advance(written);
            return {io::done, written};
        }
        if (errno == EINTR) continue;
        const auto result = failed(errno, writable_);
        if (result.status == io::error) readable_ = true; // what the peer said before is still to be read
        return result;
    }
}

bool stream::is_quiet() noexcept {
    if (end_seen_ || reset_) return false;
    // What it remembers may be out of date: a read that filled its buffer to the byte may have emptied the socket too.
    char byte = 0;
    readable_ = receive(descriptor_, &byte, 1, MSG_PEEK) >= 0 || errno != EAGAIN;
    return !readable_;
}

void stream::rest(idle_owner* owner) noexcept {
    idle_owner_ = owner;
    rests_since_ = set_.looks();
    set_.rest(descriptor_, owner != nullptr);
}

bool stream::was_quiet() const noexcept { return set_.looks() > rests_since_ && !readable_ && !end_seen_ && !reset_; }

int stream::connect_error() noexcept {
    int error = 0;
    socklen_t length = sizeof error;
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
    return error;
}

void stream::end_writing() noexcept {
    writing_ended_ = true;
    ::shutdown(descriptor_, SHUT_WR);
}

void stream::close() noexcept {
    if (descriptor_ < 0) return;
    set_.remove(descriptor_);
    ::close(std::exchange(descriptor_, -1));
}

void stream::reset() noexcept {
    if (descriptor_ < 0) return;
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

task<write_end> finish_writing(stream& to, outgoing& left, timer_queue& timers, std::chrono::milliseconds timeout) {
    auto until = timers.now() + timeout;
    while (!left.empty()) {
        const auto written = to.write_some(left);
        if (written.status == io::error) co_return write_end::error;
        if (written.status == io::done) {
            until = timers.now() + timeout;
            continue;
        }
        const auto woken = co_await to.writable(until);
        if (woken == wake::deadline) co_return write_end::timed_out;
        if (woken == wake::cancelled) co_return write_end::cancelled;
    }
    co_return write_end::done;
}

} // namespace sidecar
