// What was done with one request, gathered as it happens; at its end it becomes counters and an access line. One
// thread.
#pragma once

#include "proxy/data_plane/message_head.hpp"
#include "proxy/data_plane/worker_state.hpp"
#include "sidecar/action.hpp"
#include "sidecar/augment.hpp"
#include "sidecar/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

inline constexpr std::uint64_t overhead_sample = 16;

struct access_record {
    time_point began{};                   // when its first byte was here
    time_point sent_at{};                 // when the request's last byte went to the backend
    time_point answered_at{};             // when the final response's head was here
    time_to_connection reaching;          // of all tries together
    std::chrono::nanoseconds overhead{0}; // its own time, of one request in `overhead_sample`
    time_point mark{};                    // since when it counts, if it is measured
    action_kind kind = action_kind::forward;
    int status = 0; // what the client got; 0: no response
    failure_reason failure = failure_reason::none;
    const char* detail = ""; // of the failure: what was wrong with a head
    std::uint64_t bytes_from_client = 0;
    std::uint64_t bytes_to_client = 0;
    std::optional<not_augmented> relayed_unmodified;
    bool augmented = false;
    bool upstream_reused = false;
    bool retried = false;
    std::string request_id; // the one that goes to the backend

    // The first failure counts; the connection is closed without a response, or within one, if no status follows.
    void fail(failure_reason why, const char* what_exactly = "") noexcept {
        if (failure != failure_reason::none) return;
        failure = why;
        detail = what_exactly;
    }

    // Counts, and writes the line that log.access asks for. Not noexcept: a line needs memory.
    void finish(worker_state&, const settings&, const request_head&, const decision&, std::string_view client) const;

    // For whoever reads at log.level debug: what was decided, before it is done.
    static void explain(worker_state&, const settings&, const request_head&, const decision&, std::string_view client);

    void stop_own_time() noexcept;
    void go_on_with_own_time() noexcept;

private:
    void count(worker_metrics&, const decision&, std::chrono::nanoseconds took) const;
    void log(worker_state&, const settings&, const request_head&, const decision&, std::string_view client,
             std::chrono::nanoseconds took) const;
    log_level level() const noexcept;
};

// Which limit a malformed body has hit, if any.
void count_body_fault(worker_metrics&, body_reader::fault) noexcept;

} // namespace sidecar
