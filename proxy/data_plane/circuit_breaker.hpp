// Whether the backend can be reached, by what the last tries to connect found. When it has been away for longer than a
// restart may take, one request at a time tries, once (a circuit breaker, half open), and the others wait a moment for
// what that one finds. One per worker; one thread.
#pragma once

#include "proxy/data_plane/stream.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/timer_queue.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

namespace sidecar {

class circuit_breaker {
public:
    explicit circuit_breaker(timer_queue& timers) noexcept : timers_(timers) {}
    circuit_breaker(const circuit_breaker&) = delete;
    circuit_breaker& operator=(const circuit_breaker&) = delete;

    // `retry` below: for how long one request tries (upstream.connect_retry), and again after a pause of at most
    static constexpr std::chrono::milliseconds pause_max{200};

    // Somebody has tried in vain for that long, and not so long ago that it says nothing any more.
    bool is_open(std::chrono::milliseconds retry) const noexcept;
    void succeeded() noexcept;
    void failed(time_point began, std::chrono::milliseconds retry) noexcept; // a try of those that began then
    // The backend is another one from now on. What probes of the old one find is void.
    void reset() noexcept;

    // Held while one tries; the one probe, if it is made `as_probe`.
    class trying {
    public:
        trying(circuit_breaker&, bool as_probe) noexcept;
        ~trying();
        trying(const trying&) = delete;
        trying& operator=(const trying&) = delete;

        bool is_probe() const noexcept { return is_probe_; }
        void failed() noexcept;

    private:
        bool counts() const noexcept { return is_probe_ && era_ == breaker_.era_; }

        circuit_breaker& breaker_;
        const bool is_probe_;
        const std::uint64_t era_;
    };

    bool is_probed() const noexcept { return probing_; }
    // Until the probe under way is over, or the wait is cancelled. True: whoever waited may try. False: it failed, or
    // takes longer than a host that is there would.
    task<bool> wait_for_probe(waiter& self, std::chrono::milliseconds retry);

private:
    struct place;
    void end_probe() noexcept;

    timer_queue& timers_;
    std::optional<time_point> away_since_; // no connection stood since then, and
    time_point tried_at_{};                // the last try failed then
    time_point stood_at_{};                // the last one succeeded then
    std::uint64_t era_ = 0;                // so many times reset
    bool probing_ = false;
    std::uint64_t probes_failed_ = 0;
    std::vector<waiter*> waiting_; // for what the probe finds
};

} // namespace sidecar
