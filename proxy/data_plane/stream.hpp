// A non-blocking stream socket of any family. It remembers what the readiness set told and what the last call found, so
// that no call is made just to see EAGAIN. One coroutine may wait to read and one to write, each with its deadline.
// One thread.
#pragma once

#include "proxy/data_plane/readiness_set.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/timer_queue.hpp"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <system_error>

namespace sidecar {

enum class io : std::uint8_t {
    done,  // `bytes` were moved
    again, // nothing to be had now: wait
    end,   // the peer has ended its side (FIN), and all before it has been read
    error, // reset or worse
};

struct io_result {
    io status = io::again;
    std::size_t bytes = 0;
};

// Bytes to be written, in up to two pieces; they must stay where they are until all have gone.
struct outgoing {
    std::string_view first;
    std::string_view second;

    bool empty() const noexcept { return first.empty() && second.empty(); }
    std::size_t size() const noexcept { return first.size() + second.size(); }
    void advance(std::size_t n) noexcept;
};

enum class write_end : std::uint8_t { done, error, timed_out, cancelled };

class stream final : private readiness_set::member {
    struct awaiting {
        waiter& self;
        bool at_once;
        time_point deadline;

        bool await_ready() const noexcept { return at_once; }
        void await_suspend(std::coroutine_handle<> caller) const noexcept { self.suspend(caller, deadline); }
        wake await_resume() const noexcept { return at_once ? wake::ready : self.cause(); }
    };

public:
    stream(readiness_set&, timer_queue&) noexcept;
    ~stream() { close(); }
    stream(const stream&) = delete;
    stream& operator=(const stream&) = delete;

    // Takes the descriptor over, also on failure.
    [[nodiscard]] std::error_code open(int descriptor) noexcept;
    bool is_open() const noexcept { return descriptor_ >= 0; }

    // Asks the kernel only where an event, or what the last call found, lets it hope.
    io_result read_some(std::span<char> into) noexcept;
    // Writes once; what has gone is taken out of `from`.
    io_result write_some(outgoing& from) noexcept;

    // Whether a call may bring something.
    bool may_read() const noexcept { return readable_; }
    bool may_write() const noexcept { return writable_; }
    // co_await readable(deadline) -> wake: until then. An event that brings nothing ends the wait, too: try, and wait
    // again with the same deadline.
    auto readable(time_point deadline) noexcept { return awaiting{reader_, readable_, deadline}; }
    auto writable(time_point deadline) noexcept { return awaiting{writer_, writable_, deadline}; }
    waiter& reader() noexcept { return reader_; }
    waiter& writer() noexcept { return writer_; }
    // Those who wait go on, `cancelled`, after what is being done now.
    void cancel_waits() noexcept;
    // From now on as if the peer had reset the connection: whoever waits for either side goes on, and finds it gone.
    void abandon() noexcept;

    // A reset, or another error. Stays known whatever call took it.
    bool is_reset() const noexcept { return reset_; }
    // The peer will take nothing more: reset, or closed where the kernel tells that from half-closed.
    bool is_gone() const noexcept { return reset_ || hung_up_; }
    bool end_seen() const noexcept { return end_seen_; } // FIN has come; there may be bytes before it

    // While set: when this peer is gone (and, if so asked, when it has ended its side), the other stream's waits are
    // cancelled, so that nobody waits for it in vain.
    enum class tie_on : std::uint8_t { reset, end };
    bool has_left(tie_on what) const noexcept { return is_gone() || (what == tie_on::end && end_seen_); }
    void tie(stream& other, tie_on on) noexcept { tied_ = &other, tie_on_ = on; }
    void untie() noexcept { tied_ = nullptr; }

    // While set, and nobody reads: called on an event that may mean an end, or bytes that nobody asked for.
    class idle_owner {
    public:
        virtual void stirred(stream&) = 0; // may destroy the stream

    protected:
        ~idle_owner() = default;
    };
    void rest(idle_owner*) noexcept; // null: no longer

    // Whether it is connected, with nothing to read and no end: asked of the kernel, for one about to be used again.
    bool is_quiet() noexcept;
    // The same of one at rest, as of the set's last look, without a call: good while the set `sees_now()`.
    bool was_quiet() const noexcept;
    // After a connect that was under way: 0, or errno.
    int connect_error() noexcept;

    void end_writing() noexcept; // FIN
    void close() noexcept;
    // RST: the peer must not take what it got for the whole. (A Unix socket knows none: its peer sees an end.)
    void reset() noexcept;

private:
    void on_ready(std::uint32_t epoll_events) override;
    io_result failed(int error, bool& flag) noexcept;

    readiness_set& set_;
    waiter reader_;
    waiter writer_;
    stream* tied_ = nullptr;
    idle_owner* idle_owner_ = nullptr;
    std::uint64_t rests_since_ = 0; // the set's look
    int descriptor_ = -1;
    tie_on tie_on_ = tie_on::reset;
    bool readable_ = false;
    bool writable_ = false;
    bool end_seen_ = false;
    bool reset_ = false;
    bool hung_up_ = false;
    bool writing_ended_ = false;
    bool urgent_seen_ = false; // an urgent byte (RFC 9293 3.8.5), at which a read stops short of what has come
};

// Writes all that is left; each write that moves something has `timeout` from the one before.
task<write_end> finish_writing(stream& to, outgoing& left, timer_queue&, std::chrono::milliseconds timeout);

} // namespace sidecar
