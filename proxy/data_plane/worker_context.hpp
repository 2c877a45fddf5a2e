// What a worker's sessions and exchanges work with: the worker's own things and its view of what is shared.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/event_loop.hpp"
#include "proxy/data_plane/pipe_buffer.hpp"
#include "proxy/data_plane/upstream.hpp"
#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

struct exchange_state;
class session;

class worker_context {
public:
    worker_context(shared&, unsigned index);
    ~worker_context();
    worker_context(const worker_context&) = delete;
    worker_context& operator=(const worker_context&) = delete;

    // Held by an exchange from its head to its end. The reference count is this worker's own.
    const std::shared_ptr<const settings>& current_settings();
    const readiness& current_readiness() { return *readiness_.get(); }

    std::string_view http_date(); // IMF-fixdate, made once a second
    std::string_view log_time();  // 2026-01-01T00:00:00.000Z, made once a millisecond
    std::string new_request_id(); // a random UUID

    // Memory of exchanges, used again.
    std::unique_ptr<exchange_state> take_state();
    void give_back(std::unique_ptr<exchange_state>) noexcept;

    void ended(session&); // freed after this round of events

    event_loop loop;
    worker_metrics metrics;
    buffer_pool buffers;
    pipe_pool pipes;
    upstream backend;
    shared& common;
    std::shared_ptr<log::queue> access_log;
    bool draining = false; // answers say so
    bool accepting = true; // false: what comes late is not waited for long
    std::vector<session*> ended_sessions;

private:
    latest_reader<settings> settings_;
    latest_reader<readiness> readiness_;
    std::shared_ptr<const settings> own_settings_;
    std::vector<std::unique_ptr<exchange_state>> states_;
    std::string http_date_;
    std::int64_t http_date_second_ = -1;
    std::string log_time_;
    std::int64_t log_time_ms_ = -1;
    std::uint64_t random_;
};

} // namespace sidecar
