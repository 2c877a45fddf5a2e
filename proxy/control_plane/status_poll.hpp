// Keeps the readiness fresh: asks the backend's status endpoint again and again (docs/behaviour.md 7) and publishes
// what it says. Control thread; the documents are parsed on a thread of their own. A failed poll changes nothing but
// its own report.
#pragma once

#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace sidecar {

// What the poll knows about itself, for /readyz, the metrics and the admin page.
struct poll_report {
    struct collection {
        std::string name;
        std::size_t listed = 0;
        std::vector<std::pair<std::string, std::size_t>> not_ready; // by member
        std::size_t memory_bytes = 0;
    };

    bool tried = false;                 // the first poll has ended, one way or the other
    unsigned failures = 0;              // in a row
    std::optional<poll_failure> failed; // the last poll, and why
    std::string failure;                // in words
    bool under_way = false;
    bool held = false;          // the one under way asked to be held
    bool backend_holds = false; // and the last such one was
    std::chrono::nanoseconds last_took{0};
    std::optional<time_point> last_good_at;
    std::size_t document_bytes = 0;
    std::vector<collection> collections; // of the last good document
};

class status_poll {
public:
    // For `starting_time` it is no error that nobody is there.
    status_poll(boost::asio::io_context&, readiness_board&, log&, control_metrics&,
                std::chrono::nanoseconds starting_time = std::chrono::minutes(1));
    ~status_poll();
    status_poll(const status_poll&) = delete;
    status_poll& operator=(const status_poll&) = delete;

    // Polls from now on by these; again, after a reload: ends what is under way, and starts anew.
    void start(const status_config&, const schema&);
    void stop();

    // An answer that passed has taught something: a poll sent after it is wanted soon.
    void learned();

    const poll_report& report() const noexcept;

private:
    class running;
    std::shared_ptr<running> running_;
};

} // namespace sidecar
