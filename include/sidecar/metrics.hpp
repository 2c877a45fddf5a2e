// What the sidecar counts. Each worker has its own and is its only writer, so counting is a plain add; a reader
// (the admin listener's thread) sums them up. Names and help texts for Prometheus are in
// proxy/control_plane/exposition.cpp.
#pragma once

#include "sidecar/action.hpp"
#include "sidecar/augment.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <vector>

namespace sidecar {

// One writer, many readers.
class counter {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    void subtract(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) - n, std::memory_order_relaxed);
    }
    void set(std::uint64_t n) noexcept { value_.store(n, std::memory_order_relaxed); }
    std::uint64_t get() const noexcept { return value_.load(std::memory_order_relaxed); }

private:
    std::atomic<std::uint64_t> value_{0};
};

// Seconds; the last bucket is +Inf.
class histogram {
public:
    static constexpr std::array bounds{0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                       0.25,   0.5,   1.0,    2.5,   5.0,  10.0,  30.0, 60.0};

    void observe(std::chrono::nanoseconds took) noexcept;

    std::array<counter, bounds.size() + 1> buckets; // each its own, not cumulative
    counter sum_nanoseconds;
};

enum class action_kind : std::uint8_t { forward, augment, reply, error };
inline constexpr std::size_t action_kinds = 4;

enum class limit : std::uint8_t {
    connections,
    header_bytes,
    header_fields,
    target_bytes,
    chunk_line,
    trailer_bytes,
    upstream_connections,
    augment_body,
    learn_body,
    learn_entries,
    header_timeout,
    body_timeout,
    write_timeout,
    response_timeout
};
inline constexpr std::size_t limit_kinds = 14;
std::string_view to_string(limit) noexcept;

// Of one worker. `rules` + 1 rows: the last is for requests that no rule selected.
struct worker_metrics {
    static constexpr std::size_t rules_max = 32;
    static constexpr std::size_t codes = 6; // 1xx .. 5xx, and 0: closed without an answer

    struct by_rule {
        std::array<std::array<counter, codes>, action_kinds> requests;
        histogram duration;
    };
    std::array<by_rule, rules_max + 1> rules;
    std::array<counter, reason_words.size()> reasons; // by enum reason

    std::array<counter, not_augmented_words.size() + 1> augmented; // by enum not_augmented; the last: augmented
    counter not_modified;                                          // 304 answered here

    counter connections_accepted, connections_open, connections_refused;
    counter upstream_connects, upstream_connect_failures, upstream_reuses, upstream_open, upstream_idle;
    counter upstream_retries;  // a reused connection was dead: sent once more
    counter upstream_failures; // closed, reset or sent rubbish
    counter client_aborts;
    counter bytes_from_clients, bytes_to_clients;
    counter bytes_spliced; // of bodies, either way: moved within the kernel
    counter pipes_used_up; // reads that were copied, as no pipe was left
    counter learned;
    std::array<counter, limit_kinds> limits_hit;
    histogram upstream_response; // from the request's last byte sent to the answer's first
};

// Why a status poll failed; a word for metrics and the admin page.
enum class poll_failure : std::uint8_t {
    name,
    connect,
    tls,
    timeout,
    closed,
    bad_http,
    redirect,
    status,
    media_type,
    too_large,
    bad_document,
    secret
};
inline constexpr std::size_t poll_failures = 12;
std::string_view to_string(poll_failure) noexcept;

// Of the control plane.
struct control_metrics {
    counter polls_ok, polls_not_modified, polls_failed;
    std::array<counter, poll_failures> polls_failed_by; // by enum poll_failure
    histogram poll_duration;                            // without the polls that the backend held
    counter reloads_ok, reloads_failed;
    counter reload_last_ok; // 0 or 1
    std::atomic<double> reload_last_success_unix{0};
};

} // namespace sidecar
