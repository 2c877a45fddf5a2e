// A non-blocking TCP connection in an event loop. It remembers what epoll told and what the last call found, so that
// no call is made just to see EAGAIN. One thread.
#pragma once

#include "proxy/data_plane/event_loop.hpp"
#include "proxy/data_plane/pipe_buffer.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>
#include <string_view>

namespace sidecar {

enum class io : std::uint8_t {
    done,  // `bytes` were moved
    again, // nothing to be had now: wait for an event
    end,   // the peer has ended its side (FIN)
    error, // reset or worse: `error` says
};

struct io_result {
    io status = io::again;
    std::size_t bytes = 0;
    int error = 0; // errno
};

class connection : private event_target {
public:
    connection() = default;
    ~connection() { close(); }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;

    // Takes the descriptor over, also on failure. Events go to `owner` until another is named.
    [[nodiscard]] bool open(event_loop&, int descriptor, event_target* owner) noexcept;
    void owned_by(event_target* owner) noexcept { owner_ = owner; }
    bool is_open() const noexcept { return descriptor_ >= 0; }
    int descriptor() const noexcept { return descriptor_; }

    io_result read(std::span<char> into) noexcept;
    io_result write(std::span<const iovec> from) noexcept;
    io_result write(std::string_view from) noexcept; // the cheaper call
    // Within the kernel. `into` is empty and has a pipe. `again` while may_read() stays true: nothing was moved;
    // whether that is the end, the other read() tells. write() may raise SIGPIPE, which a worker's thread has blocked.
    io_result read(pipe_buffer& into, std::size_t at_most) noexcept;
    io_result write(pipe_buffer& from) noexcept;
    bool may_splice() const noexcept { return !urgent_seen_; } // splice(2) gets past no urgent byte

    bool may_read() const noexcept { return readable_; }
    bool may_write() const noexcept { return writable_; }
    bool is_reset() const noexcept { return error_seen_; } // the peer is gone for good, not only half-closed
    bool end_seen() const noexcept { return end_seen_; }   // FIN has come; there may be bytes before it

    // Whether it is connected, with nothing to read and no end: asked of the kernel, for one about to be used again.
    bool is_quiet() noexcept;
    // After a connect that was under way: 0, or errno.
    int connect_error() noexcept;

    void end_writing() noexcept; // FIN
    void close() noexcept;
    void reset() noexcept; // RST: the peer must not take what it got for the whole

private:
    io_result failed_read() noexcept;
    template <class Send>
    io_result write_by(const Send&, std::size_t offered) noexcept;
    void on_event(std::uint32_t epoll_events) override;

    event_loop* loop_ = nullptr;
    event_target* owner_ = nullptr;
    int descriptor_ = -1;
    bool readable_ = false;
    bool writable_ = false;
    bool end_seen_ = false;
    bool error_seen_ = false;
    bool urgent_seen_ = false; // an urgent byte (RFC 9293 3.8.5), at which a read stops short of what has come
};

} // namespace sidecar
