// What the sidecar counts. Each worker has its own worker_metrics and is its only writer, so counting is a plain add; a
// reader (the control thread) sums them up. Every counter stands in the struct and once in a table
// (proxy/metrics.cpp: name, help, labels), which summing, exposition, docs and tests go through.
#pragma once

#include "sidecar/action.hpp"
#include "sidecar/augment.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
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

// How many values an enum has, by its sentinel.
template <class Enum>
inline constexpr std::size_t enum_size = static_cast<std::size_t>(Enum::count_);

// A counter for each value of an enum.
template <class Enum>
class counters_by {
public:
    static constexpr std::size_t size() noexcept { return enum_size<Enum>; }
    counter& operator[](Enum which) noexcept { return all_[static_cast<std::size_t>(which)]; }
    const counter& operator[](Enum which) const noexcept { return all_[static_cast<std::size_t>(which)]; }
    counter& operator[](std::size_t place) noexcept { return all_[place]; }
    const counter& operator[](std::size_t place) const noexcept { return all_[place]; }
    std::span<const counter> all() const noexcept { return all_; }

private:
    std::array<counter, enum_size<Enum>> all_;
};

// Seconds; the last bucket is +Inf.
class histogram {
public:
    static constexpr std::array bounds{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                       0.1,    0.25,    0.5,    1.0,   2.5,    5.0,   10.0, 30.0,  60.0};

    void observe(std::chrono::nanoseconds took) noexcept;

    std::array<counter, bounds.size() + 1> buckets; // each its own, not cumulative
    counter sum_nanoseconds;
};

enum class action_kind : std::uint8_t { forward, augment, reply, error, count_ };
std::string_view to_string(action_kind) noexcept;

// Which limit ended or refused something.
enum class limit : std::uint8_t {
    connections,
    header_bytes,
    header_fields,
    target_bytes,
    chunk_line,
    trailer_bytes,
    upstream_connections,
    upstream_pending,
    queue_timeout,
    augment_body,
    learn_body,
    learn_entries,
    header_timeout,
    body_timeout,
    write_timeout,
    response_timeout,
    count_
};
std::string_view to_string(limit) noexcept;

// Why an exchange failed: the metrics' label `reason`, the access line's `error`. A closed gate is no failure.
enum class failure_reason : std::uint8_t {
    none,
    bad_request,
    not_implemented,
    header_too_large,
    too_many_fields,
    target_too_long,
    header_timeout,
    body_timeout,
    bad_body,
    connections_limit,
    pending_limit, // more wait for a connection to the backend than upstream.max_pending
    queue_timeout, // waited longer than upstream.queue_timeout
    upstream_unreachable,
    upstream_connecting_failed_fast, // unreachable for longer than upstream.connect_retry already: not tried
    no_response,                     // closed without a byte
    bad_response,                    // rubbish before or within a head, or in the framing
    truncated_response,
    response_timeout,
    response_body_timeout,
    request_write_timeout,
    client_gone,
    client_stalled, // does not read
    status_path,    // a client asked for the status endpoint
    drain_timeout,  // cut: still under way when the drain's time was over, or at a second SIGTERM
    count_
};
std::string_view to_string(failure_reason) noexcept;

enum class party : std::uint8_t { client, upstream, sidecar, count_ };
std::string_view to_string(party) noexcept;
party whose(failure_reason) noexcept; // fault it is; of `none`: nobody asks

// Failures by reason and by the exact code of the local reply; 0: the connection was closed without one, or within a
// response.
class failure_counters {
public:
    static constexpr std::array<int, 13> codes{0, 400, 404, 408, 412, 414, 421, 431, 500, 501, 502, 503, 504};

    // A code that no local reply has counts as 0.
    counter& at(failure_reason, int code) noexcept;
    const counter& at(failure_reason, int code) const noexcept;
    std::span<const counter> all() const noexcept { return all_; } // reason by reason, each with all codes

private:
    std::array<counter, enum_size<failure_reason> * codes.size()> all_;
};

// The last exchanges that the sidecar itself ended with an error, for the admin page. A worker writes, the control
// thread reads now and then: the lock is nearly always free.
class last_failures {
public:
    static constexpr std::size_t kept = 20;

    struct entry {
        std::chrono::system_clock::time_point at;
        std::string method;
        std::string target; // as loggable_target() gives it
        failure_reason why = failure_reason::none;
        int code = 0; // 0: closed without a response, or within one
        std::chrono::nanoseconds took{0};
    };

    // Text is cut, so that what is kept is bounded.
    void note(std::chrono::system_clock::time_point, std::string_view method, std::string_view target, failure_reason,
              int code, std::chrono::nanoseconds took);
    std::vector<entry> all() const; // the newest last

private:
    mutable std::mutex mutex_;
    std::vector<entry> entries_; // a ring once it is full
    std::size_t next_ = 0;
};

// Of one worker.
struct worker_metrics {
    static constexpr std::size_t rules_max = 32;
    static constexpr std::size_t codes = 6; // 1xx .. 5xx, and 0: closed without a response

    struct by_rule {
        std::array<std::array<counter, codes>, enum_size<action_kind>> requests;
        histogram duration;
    };
    std::array<by_rule, rules_max + 1> rules; // by a rule's place; the last: requests that no rule selected
    counters_by<reason> reasons;
    failure_counters failures;

    counters_by<sidecar::not_augmented> not_augmented;
    counter augmented;
    counter not_modified; // 304 said here
    counter learned;

    counter connections_accepted, connections_open, connections_refused;
    counter requests_in_flight; // gauge: from a request's first byte to the end of its response
    counter client_aborts;
    counter bytes_from_clients, bytes_to_clients;

    counter upstream_connects, upstream_connect_failures, upstream_reuses, upstream_open, upstream_idle;
    counter upstream_pending;    // gauge: requests that wait in line for a connection
    counter upstream_awaited;    // gauge: requests sent whole, of whose final response no head has come
    counter upstream_stalled;    // gauge: within a message, and the backend has not moved for five seconds
    counter upstream_responses;  // whose final head has come
    counter upstream_given_up;   // whose client went before that
    counter upstream_retries;    // a reused connection was dead: sent once more
    counter upstream_failures;   // closed, reset or sent rubbish
    histogram upstream_wait;     // in line for a connection; of each request that had to wait
    histogram upstream_connect;  // of each connect that succeeded
    histogram upstream_response; // from the request's last byte sent to the response's first
    histogram overhead; // our own: from the request's head to that sent on, and from the response's head to the client

    counters_by<limit> limits_hit;
    last_failures failed_last;

    // No metric, but what the admin page says of it.
    counter connect_errno; // of the last attempt to connect; 0: it succeeded
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
    secret,
    count_
};
std::string_view to_string(poll_failure) noexcept;

// Of the control plane.
struct control_metrics {
    counter polls_ok, polls_not_modified, polls_failed;
    counters_by<poll_failure> polls_failed_by;
    histogram poll_duration; // without the polls that the backend held
    counter reloads_ok, reloads_failed;
    counter reload_last_ok; // gauge: 0 or 1
    std::atomic<double> reload_last_success_unix{0};
};

enum class metric_kind : std::uint8_t { counter, gauge, histogram };

// A row of the table: one counter, one for each value of some enums, or a histogram. Rows with the same name stand
// together and are one family.
template <class Owner>
struct metric_row {
    using label_values = std::array<std::string_view, 3>;

    metric_kind kind;
    std::string_view name;
    std::string_view help;
    label_values labels;                                // their names; empty: no more
    label_values (*values)(std::size_t series);         // of the labels
    bool (*always_there)(std::size_t series);           // shown although it is nought, so that its first rise is seen
    std::span<const counter> (*counters)(const Owner&); // one a series; null: a histogram
    const histogram& (*distribution)(const Owner&);     // null: counters
};
std::span<const metric_row<worker_metrics>> worker_table() noexcept;
std::span<const metric_row<control_metrics>> control_table() noexcept;

// Of the rows by rule, whose names are the configuration's.
inline constexpr std::string_view requests_name = "sidecar_requests_total";
inline constexpr std::string_view durations_name = "sidecar_request_duration_seconds";

} // namespace sidecar
