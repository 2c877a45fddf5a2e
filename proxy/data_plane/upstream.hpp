// The connections to the backend: those in use are counted, idle ones are kept for reuse, and requests wait in line
// when there are too many. One per worker; no lock.
#pragma once

#include "proxy/data_plane/circuit_breaker.hpp"
#include "proxy/data_plane/handler_memory.hpp"
#include "proxy/data_plane/stream.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/worker_log.hpp"
#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <deque>
#include <memory>
#include <string_view>
#include <vector>

namespace sidecar {

class upstream;

// Which kept connection will do.
enum class reuse : std::uint8_t {
    never,
    if_just_used, // for what can't be sent again: the backend must not just be closing it
    always,
};

// One connection to the backend. While it is idle, any event on it (an end, or bytes nobody asked for) closes it.
class upstream_connection final : private stream::idle_owner {
public:
    explicit upstream_connection(upstream& pool);
    ~upstream_connection();
    upstream_connection(const upstream_connection&) = delete;
    upstream_connection& operator=(const upstream_connection&) = delete;

    stream link;
    bool reused = false;

private:
    friend class upstream;
    void stirred(stream&) override;

    upstream& pool_;
    const std::uint64_t number_; // the pool's so manieth
    std::uint64_t generation_;   // of the pool's addresses; 0: of others
    bool has_place_ = false;     // counts below upstream.max_connections
    time_point used_at_{};       // when it was given back
};

// What of a client is its leaving (downstream.on_half_close).
inline stream::tie_on leaving(const settings& config) noexcept {
    return config.values.downstream.on_half_close == half_close::abort ? stream::tie_on::end : stream::tie_on::reset;
}

using upstream_lease = std::unique_ptr<upstream_connection>;

// What it took a request to have a connection that was not just there.
struct time_to_connection {
    std::chrono::nanoseconds in_line{0};
    std::chrono::nanoseconds connecting{0};
};

class upstream {
public:
    upstream(boost::asio::io_context&, readiness_set&, timer_queue&, worker_metrics&, worker_log&);
    ~upstream();
    upstream(const upstream&) = delete;
    upstream& operator=(const upstream&) = delete;

    // By these settings from now on, also what is idle already: connections to other addresses are closed.
    void use(const settings&);

    // A kept connection that the backend has not closed and that has nothing to read, or null.
    upstream_lease take_idle(reuse, const settings&);

    // Connects; where all connections are in use, waits in line first, first come first served (and may be given one
    // that has just become idle). Tries again until `connect_retry` is over: a restarting container comes back within
    // it. While the backend has been away for longer than that, only one request at a time tries, once, and the others
    // wait a moment for what it finds.
    // Gives up at once when `client` is gone. `none`: `into` is connected. What it took is added to `spent`.
    task<failure_reason> connect(reuse, stream& client, const settings&, upstream_lease& into,
                                 time_to_connection& spent);

    // After both messages have ended cleanly.
    void give_back(upstream_lease, const settings&);
    // What can't be given back. Its destructor would do; this says why, to whoever reads at log.level debug.
    void close(upstream_lease, std::string_view why);

    void close_idle();

private:
    friend class upstream_connection;
    struct place_in_line;

    void drop(upstream_connection*) noexcept;
    void place_is_free() noexcept;
    bool take_place(upstream_connection&);
    bool is_present(const upstream_connection&) const noexcept; // to the addresses that hold now
    time_point idle_until(const upstream_connection&) const noexcept;
    task<failure_reason> wait_for_place(reuse, stream& client, const settings&, upstream_lease& into);
    task<failure_reason> reach(stream& client, const settings&, upstream_connection& into);
    task<failure_reason> wait_for_probe(stream& client, const settings&, upstream_connection& into);
    void fill_places() noexcept;
    task<bool> connect_once(const socket_address&, milliseconds timeout, upstream_connection& into);
    void close_at(time_point);
    void close_expired();
    void close_least_used(std::string_view why);
    void close_all_idle(std::string_view why);
    void count_reuse(upstream_connection&);

    // What happened, for whoever reads at log.level debug.
    void tell_opened(const upstream_connection&, const socket_address&, std::chrono::nanoseconds took) noexcept;
    void tell_failed(const settings&) noexcept;
    void tell_closed(const upstream_connection&, std::string_view why) noexcept;
    void tell_line(std::string_view event, std::chrono::nanoseconds waited, std::string_view why) noexcept;

    readiness_set& set_;
    timer_queue& timers_;
    worker_metrics& metrics_;
    worker_log& lines_;
    handler_memory memory_;
    boost::asio::steady_timer expiry_;
    std::vector<upstream_lease> idle_; // the most recently used last
    std::deque<place_in_line*> line_;  // for a place below upstream.max_connections
    std::vector<socket_address> addresses_;
    std::uint64_t generation_ = 0;
    std::uint64_t made_ = 0;
    std::size_t open_ = 0; // places taken
    std::size_t open_max_ = 0;
    std::size_t idle_max_ = 0;
    milliseconds idle_timeout_{0};
    circuit_breaker breaker_;
};

} // namespace sidecar
