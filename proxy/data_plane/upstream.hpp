// The connections to the backend: those in use are counted, idle ones are kept for reuse. One per worker; no lock.
#pragma once

#include "proxy/data_plane/connection.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <deque>
#include <memory>
#include <vector>

namespace sidecar {

class upstream;

// One connection to the backend. While it is idle, any event on it (an end, or bytes nobody asked for) closes it.
class upstream_connection final : private event_target {
public:
    explicit upstream_connection(upstream& pool);
    ~upstream_connection();
    upstream_connection(const upstream_connection&) = delete;
    upstream_connection& operator=(const upstream_connection&) = delete;

    connection link;
    bool reused = false;

private:
    friend class upstream;
    void on_event(std::uint32_t) override;

    upstream& pool_;
    std::uint64_t generation_;
    time_point idle_until_{};
};

using upstream_lease = std::unique_ptr<upstream_connection>;

enum class connect_outcome : std::uint8_t { connected, unreachable, no_place, client_gone };

class upstream {
public:
    upstream(event_loop&, worker_metrics&);
    ~upstream();
    upstream(const upstream&) = delete;
    upstream& operator=(const upstream&) = delete;

    // Idle connections to other addresses than these settings' are closed.
    void use(const settings&);

    // A kept connection that the backend has not closed and that has nothing to read, or null.
    upstream_lease take_idle();
    bool has_idle() const noexcept { return !idle_.empty(); }

    // Connects, trying again until `connect_retry` is over: a restarting container comes back within it. Gives up at
    // once when `client` is reset. Events of the new connection go to `owner`, which `self` wakes for.
    task<connect_outcome> connect(waiter& self, event_target& owner, const connection& client, const settings&,
                                  upstream_lease& into);

    // After both messages have ended cleanly. What is not given back is closed by its destructor.
    void give_back(upstream_lease, milliseconds idle_timeout);

    void close_idle();
    // Closes those idle for too long; called with the loop's sweep.
    void expire();

private:
    friend class upstream_connection;
    void drop(upstream_connection*) noexcept;
    void connection_ended() noexcept;
    task<bool> connect_once(waiter& self, event_target& owner, const connection& client, const settings&,
                            const socket_address&, upstream_lease& into);

    event_loop& loop_;
    worker_metrics& metrics_;
    std::vector<upstream_lease> idle_; // the most recently used last
    std::deque<waiter*> waiting_;      // for a place below upstream.max_connections
    std::vector<socket_address> addresses_;
    std::uint64_t generation_ = 0;
    std::size_t open_ = 0;
    std::size_t idle_max_ = 0;
};

} // namespace sidecar
