// What a worker's sessions and exchanges work with: the worker's own things and its view of what is shared. One thread.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/readiness_set.hpp"
#include "proxy/data_plane/timer_queue.hpp"
#include "proxy/data_plane/upstream.hpp"
#include "proxy/data_plane/worker_log.hpp"
#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <boost/asio/io_context.hpp>

#include <memory>
#include <string>
#include <string_view>

namespace sidecar {

class session;

class worker_state {
public:
    worker_state(shared&, unsigned index);
    worker_state(const worker_state&) = delete;
    worker_state& operator=(const worker_state&) = delete;

    // One configuration and one snapshot that belong together, to be taken when a request's head is whole. The
    // configuration is held from there to the request's end; its reference count is this worker's own.
    struct present {
        const std::shared_ptr<const settings>& config;
        const readiness& known; // until the next call; says nothing if it was made for another configuration
    };
    present current();
    const std::shared_ptr<const settings>& current_settings();

    std::string_view http_date(); // IMF-fixdate, made once a second
    std::string new_request_id(); // a random UUID

    // Now and then: much that was held, and is no more, goes back to the system. The C library would keep it.
    void give_memory_back() noexcept;

    boost::asio::io_context context{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
    worker_metrics metrics;
    worker_log lines;
    timer_queue timers{context};
    readiness_set sockets{context, timers};
    buffer_pool buffers;
    upstream backend{context, sockets, timers, metrics, lines};
    shared& common;
    std::size_t held_bytes = 0;      // of responses that are collected, all together
    std::size_t held_bytes_peak = 0; // since memory was last given back
    std::uint64_t overhead_turn = 0; // one request in `overhead_sample` has its own time measured
    bool draining = false;           // responses say so
    bool cutting = false;            // what is still under way ends now
    bool accepting = true;           // false: what comes late is not waited for long

private:
    latest_reader<settings> settings_;
    latest_reader<readiness> readiness_;
    std::shared_ptr<const settings> own_settings_;
    std::string http_date_;
    std::int64_t http_date_second_ = -1;
    std::uint64_t random_;
};

} // namespace sidecar
