// How the sidecar stands at one moment: what the admin listener shows, in whatever form. Gathered on the control
// thread for each request; the texts made of it (exposition, summary, page) are pure functions.
#pragma once

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
};

} // namespace sidecar
