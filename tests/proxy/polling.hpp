// A status poll in a test's hand, and what it is asked for.
#pragma once

#include "proxy/control_plane/status_poll.hpp"
#include "tests/proxy/control_tools.hpp"

#include <chrono>
#include <functional>
#include <string>

namespace sidecar::testing {

inline const auto known_id = *parse_uuid("ca29f7df-33ca-46dd-a015-92c46fdb6fd1");
inline const auto other_id = *parse_uuid("777be35a-98e0-4c2e-9a17-7bc009f9b111");

inline const schema needs{{{"projects", {"is_upload_ready", "is_download_ready"}}, {"files", {"is_download_ready"}}}};

inline std::string document(bool upload_ready = false) {
    return std::string(R"({"projects":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_upload_ready":)") +
           (upload_ready ? "true" : "false") + R"(,"is_download_ready":false}],"files":[]})";
}

// Fast enough for a test; no jitter, so that times can be counted on.
inline status_config quick(const std::string& url) {
    status_config values;
    values.url = url;
    values.interval = 40ms;
    values.jitter = 0;
    values.timeout = 2s;
    values.backoff_max = 80ms;
    values.wait = 0ms;
    return values;
}

struct polling {
    boost::asio::io_context io;
    readable_log log;
    control_metrics metrics;
    readiness_board board;
    status_poll poll;

    explicit polling(std::chrono::nanoseconds starting_time = std::chrono::minutes(1))
        : poll(io, board, log.log, metrics, starting_time) {}

    void start(const status_config& values) {
        board.configure(needs, values.max_age, values.unlisted_means);
        poll.start(values, needs);
    }
    bool until(const std::function<bool()>& happened) { return run_until(io, happened); }
    bool until_good() {
        return until([&] { return metrics.polls_ok.get() > 0; });
    }
    bool until_failed(std::size_t times = 1) {
        return until([&] { return metrics.polls_failed.get() >= times; });
    }
    std::uint64_t failed_by(poll_failure why) const {
        return metrics.polls_failed_by[static_cast<std::size_t>(why)].get();
    }
    state upload_ready(const uuid& id = known_id) const {
        return board.published().get()->look_up(0, 0, id, std::chrono::steady_clock::now());
    }
};

inline bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

} // namespace sidecar::testing
