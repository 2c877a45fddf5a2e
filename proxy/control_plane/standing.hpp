// How the sidecar stands at one moment: what the admin listener shows, in whatever form. Gathered on the control
// thread for each request; the texts made of it (exposition, summary, page) are pure functions.
#pragma once

#include "proxy/control_plane/health.hpp"
#include "proxy/control_plane/history.hpp"
#include "proxy/control_plane/process_figures.hpp"
#include "proxy/control_plane/rule_sums.hpp"
#include "proxy/control_plane/status_poll.hpp"
#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace sidecar {

// What the observer keeps.
struct observations {
    history past;
    trouble_watch troubles;
};

struct standing {
    time_point now;
    time_point started;
    std::string not_ready; // why /readyz says 503; empty: ready
    bool draining = false;
    worker_list workers;
    const rule_rows* rows = nullptr;
    const control_metrics* control = nullptr;
    std::shared_ptr<const settings> current;
    std::shared_ptr<const readiness> known;
    poll_report poll;
    std::string reload_failure; // of the last reload; empty: it took
    std::uint64_t log_lines_dropped = 0;
    process_figures process;
    std::chrono::nanoseconds stuck_for{0}; // a worker has not turned, for long; 0: all do
    const observations* seen = nullptr;
    std::string pod, pod_namespace; // empty: not known
};

std::string backend_words(const standing&);     // its address, and what its name resolves to
std::uint64_t not_ready_count(const standing&); // resources of which any member is not ready, by the last document

} // namespace sidecar
