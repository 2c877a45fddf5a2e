// The readiness of one worker's sockets: one edge-triggered epoll set, which is a single descriptor to Asio's
// io_context. Each socket is registered once, for both directions; a wait costs no system call. Asio's own sockets pay
// a failed recv or an epoll_ctl at each wait, can't tell of an end behind unread bytes, and hold a buffer for each
// connection at rest (docs/architecture.md; bench/micro_loop.cpp has both). One thread.
#pragma once

#include "proxy/data_plane/handler_memory.hpp"
#include "proxy/data_plane/timer_queue.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <chrono>
#include <cstdint>
#include <system_error>
#include <vector>

struct epoll_event;

namespace sidecar {

class readiness_set {
public:
    // A socket's owner, told of what has changed: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLPRI, EPOLLERR, EPOLLHUP.
    class member {
    public:
        virtual void on_ready(std::uint32_t epoll_events) = 0;

    protected:
        ~member() = default;
    };

    // The timers' clock is set where a round of events begins.
    readiness_set(boost::asio::io_context&, timer_queue&); // throws std::system_error
    readiness_set(const readiness_set&) = delete;
    readiness_set& operator=(const readiness_set&) = delete;

    // The descriptor must be non-blocking. An error is the kernel's (no memory, max_user_watches) or bad_alloc's.
    [[nodiscard]] std::error_code add(int descriptor, member&) noexcept;
    // Before the descriptor is closed: no event of it arrives after this. Closing takes it out of the kernel's set.
    void remove(int descriptor) noexcept;

    // One at rest is told of its events before all others are of theirs. So whoever has come to rest before the last
    // look, and was told nothing, has had no event until then.
    void rest(int descriptor, bool) noexcept;
    std::uint64_t looks() const noexcept { return looks_; } // at the kernel, for all that had happened
    // Whether the last round was one. Else it was full, and what is left of its events may be anybody's.
    bool saw_all() const noexcept { return saw_all_; }
    // What a look has seen is believed for this long: a round of many events takes some milliseconds, and meanwhile
    // more may come. It is short beside the time that a backend takes to respond.
    static constexpr std::chrono::microseconds believed_for{500};
    bool sees_now() const noexcept { return saw_all_ && std::chrono::steady_clock::now() - looked_at_ < believed_for; }

private:
    // By descriptor; the generation tells an event of a closed descriptor from one of its successor.
    struct slot {
        member* target = nullptr;
        std::uint32_t generation = 0;
        bool rests = false;
    };

    void await_round();
    void take_round();
    void tell(epoll_event&);

    static constexpr int events_max = 256; // a round; more come in the next
    static constexpr int rounds_in_a_row = 8;

    handler_memory memory_;
    boost::asio::posix::stream_descriptor set_; // closes it
    timer_queue& timers_;
    std::vector<slot> slots_;
    std::uint64_t looks_ = 0;
    time_point looked_at_{};
    bool saw_all_ = false;
};

} // namespace sidecar
