// What is wrong, since when, and what it does to clients: one judgement from figures, for the admin page's banner,
// /status and the log. Pure, so that each incident is a test without sockets.
#pragma once

#include "proxy/control_plane/tally.hpp"
#include "sidecar/metrics.hpp"
#include "sidecar/readiness.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

enum class health : std::uint8_t { ok, starting, draining, degraded, failing, count_ };
std::string_view to_string(health) noexcept;

// Which of the page's lamps tells of it.
enum class part : std::uint8_t { clients, sidecar, backend, readiness, configuration };

// The worst first: what stands above is what the banner says.
enum class trouble : std::uint8_t {
    worker_stuck,
    unresolved,
    unreachable,
    breaks_off,
    silent,
    times_out,
    backend_errors,
    requests_fail, // for a reason that is none of these
    queue_full,
    connections_full,
    queueing,
    slow,
    stale,
    polls_fail,
    polls_slow,
    bad_reload,
    count_
};
std::string_view to_string(trouble) noexcept;

// A worker turns each second at least. One that has not for so long is told of, as it may be short of CPU time; one
// that has not for longer never will: /livez fails.
inline constexpr std::chrono::seconds worker_stalls_after{5};
inline constexpr std::chrono::seconds worker_hangs_after{10};

// What is judged.
struct symptoms {
    std::string not_ready; // why /readyz says 503
    bool draining = false;
    std::chrono::nanoseconds up{0};

    tally recent;                           // of the last seconds: enough of them to have seen some requests
    bool connects_fail = false;             // in the last seconds, all of them or nearly
    std::uint64_t pending_least = 0;        // in line at each look of the last seconds
    std::uint64_t ended_well = 0;           // in the last ten seconds
    std::chrono::nanoseconds silent_for{0}; // requests wait for a response, and none has begun since
    std::chrono::nanoseconds stuck_for{0};  // a worker has not turned, for so long; 0: all do

    std::string backend; // its address
    bool resolves = true;
    std::chrono::milliseconds connect_retry{0};
    std::size_t connections_max = 0;
    std::size_t upstream_connections_max = 0;

    bool polled = false; // with success, ever
    bool fresh = true;   // the snapshot still counts
    std::chrono::nanoseconds age{0};
    std::chrono::nanoseconds max_age{0};
    bool poll_failed = false; // the last one
    unsigned polls_failed = 0;
    std::string poll_failure; // in words
    std::chrono::nanoseconds poll_took{0};
    bool unknown_rejects = false; // a gate is closed while readiness is unknown

    std::string reload_failure;
};

struct finding {
    trouble what;
    part where;
    health level;       // degraded or failing
    std::string title;  // backend unreachable
    std::string effect; // every request fails
    std::string detail; // 127.0.0.1:3000: connection refused
};

std::vector<finding> find_trouble(const symptoms&);

// Remembers since when each trouble is there, and does not let it go for a moment's silence.
class trouble_watch {
public:
    static constexpr std::chrono::seconds gone_after{3};

    struct lasting {
        finding found;
        time_point since;
        time_point seen;
        health worst; // so far
    };
    struct change {
        std::vector<lasting> began; // or got worse than it had been
        std::vector<lasting> ended;
    };

    change look(std::vector<finding> found, time_point now);
    const std::vector<lasting>& present() const noexcept { return present_; } // the worst first

private:
    std::vector<lasting> present_;
};

struct verdict {
    health state = health::starting;
    std::string sentence;          // backend unreachable for 42 s: every request fails
    std::vector<std::string> more; // the detail, and what else is wrong
};

// `age`: the snapshot's, in the sentence for when all is well.
verdict judge(const symptoms&, const std::vector<trouble_watch::lasting>&, time_point now);

} // namespace sidecar
