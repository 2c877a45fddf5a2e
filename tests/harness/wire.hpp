// One end of a connection in a test, TCP or Unix: sends exact bytes, and gives exact bytes back. Every call ends by its
// own deadline and throws std::runtime_error that tells what was waited for and what had come. One thread at a time.
#pragma once

#include "tests/harness/patience.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace harness {

using std::chrono::milliseconds;

enum class ending { none, fin, reset };

// Text for people: line ends and bytes that don't print escaped, long ones shortened.
std::string shown(std::string_view bytes);

// A message as it came: the head with its empty line, and the body with its framing.
struct message {
    std::string head;
    std::string body;
    std::string bytes() const { return head + body; }
};

class wire {
public:
    wire() = default; // no connection yet
    wire(int descriptor, std::string_view name);
    ~wire() { close(); }
    wire(wire&&) noexcept;
    wire& operator=(wire&&) noexcept;
    wire(const wire&) = delete;
    wire& operator=(const wire&) = delete;

    // `receive_buffer`: of the kernel; small for one who reads slowly.
    static wire connect(std::uint16_t port, int receive_buffer = 0);
    static wire connect(const std::string& unix_socket);

    void send(std::string_view bytes);
    void send_bytewise(std::string_view bytes);
    // As `send`, but the other side may end the connection meanwhile: false then.
    bool try_send(std::string_view bytes);
    // Sends until the other side takes nothing more for so long; how much it took.
    std::size_t send_until_stalled(std::string_view bytes, milliseconds stall);

    // What the kernel takes of it at once, if the connection still stands.
    void send_what_goes(std::string_view bytes);

    std::string receive(std::size_t size);                 // exactly so many
    std::string receive_until(std::string_view delimiter); // up to its end
    std::string receive_head() { return receive_until("\r\n\r\n"); }
    // By its framing; an answer without one lasts until the end. Interim answers are messages of their own.
    enum class kind { request, answer, answer_to_head };
    message receive_message(kind);
    message receive_request() { return receive_message(kind::request); }
    message receive_answer() { return receive_message(kind::answer); }
    // An answer that goes wrong: the sidecar's own 502 instead, if nothing of it had gone out, or what there is until
    // the end.
    std::string receive_502_or_rest();
    std::string receive_rest(); // until the other side ends; then `ended` says how
    // Reads and forgets until the end; how many bytes there were. For large bodies.
    std::size_t discard_rest();
    ending ended() const noexcept { return ended_; }

    // Nothing comes, and no end, for so long.
    bool stays_silent(milliseconds duration);
    // Whether a byte or an end is there to be read, now.
    bool has_something();
    bool has_bytes(); // an end aside

    void end_writing(); // FIN
    void reset();       // RST
    void close() noexcept;
    bool is_open() const noexcept { return descriptor_ >= 0; }
    int descriptor() const noexcept { return descriptor_; }

private:
    using clock = std::chrono::steady_clock;
    bool wait(short events, clock::time_point until) const;
    // False: the end. Throws at the deadline.
    bool read_some(clock::time_point until, std::string_view awaited);
    [[noreturn]] void fail(std::string_view what) const;
    std::string take(std::size_t size);

    int descriptor_ = -1;
    std::string name_;
    std::string received_; // and not yet taken
    ending ended_ = ending::none;
    bool reset_seen_ = false; // by a send
};

} // namespace harness
