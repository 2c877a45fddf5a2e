// What all workers have counted up to one moment, as far as the admin page judges and shows it. Pure.
#pragma once

#include "proxy/control_plane/sums.hpp"
#include "sidecar/readiness.hpp"

#include <array>
#include <cstdint>

namespace sidecar {

struct tally {
    // Ever more, from the start.
    std::array<std::uint64_t, worker_metrics::codes> responses{}; // by class of the status; 0: closed without one
    std::uint64_t backend_errors = 0;                             // 5xx that the backend itself sent
    std::uint64_t own_errors = 0;                                 // 5xx of ours
    std::uint64_t closed = 0;                                     // without a response or within one, not by the client
    std::uint64_t sent_away = 0;                                  // by a closed gate
    std::array<std::uint64_t, enum_size<failure_reason>> failures{};
    std::uint64_t connections_refused = 0;
    std::uint64_t connects = 0, connect_failures = 0, reuses = 0;
    std::uint64_t begun = 0;    // the backend's responses
    std::uint64_t given_up = 0; // by clients, before it had begun
    summed_histogram durations;
    summed_histogram upstream; // first bytes
    summed_histogram overhead;

    // As it is at the moment.
    std::uint64_t connections = 0, in_flight = 0, pending = 0, awaited = 0, stalled = 0;
    std::uint64_t upstream_connections = 0, upstream_idle = 0;
    int connect_errno = 0;

    std::uint64_t in_vain() const noexcept { return begun == 0 ? given_up : 0; } // of a span: nobody had one
    std::uint64_t requests() const noexcept;                                     // that ended in whatever way
    std::uint64_t ended_well() const noexcept;
    std::uint64_t failed() const noexcept { return backend_errors + own_errors + closed; }
    std::uint64_t of(failure_reason why) const noexcept { return failures[static_cast<std::size_t>(why)]; }
};

tally take_tally(const worker_list&);

// What came between; the moment is the later one's.
tally operator-(const tally& later, const tally& earlier);

} // namespace sidecar
