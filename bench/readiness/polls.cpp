// The status polls of many sidecars against one status endpoint, by the very code that a sidecar polls with, in one
// process. The first polls are spread over one interval. Says {"measuring":true} when the warm-up is over, and in one
// line of JSON what the polls of the measurement came to.
#include "proxy/control_plane/status_poll.hpp"
#include "proxy/shared.hpp"

#include <CLI/CLI.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <cstdio>
#include <deque>
#include <string>

namespace {

using namespace sidecar;
namespace asio = boost::asio;
using seconds_double = std::chrono::duration<double>;

const schema needs{{{"projects", {"is_upload_ready", "is_download_ready"}}, {"files", {"is_download_ready"}}}};

struct counts {
    std::uint64_t ok, not_modified, failed;
};

class fleet {
public:
    fleet(std::size_t count, status_config values) : values_(std::move(values)) {
        for (std::size_t i = 0; i < count; ++i) {
            auto& one = members_.emplace_back(io_, log_, metrics_);
            one.starts.expires_after(std::chrono::nanoseconds(values_.interval) * static_cast<std::int64_t>(i) /
                                     static_cast<std::int64_t>(count));
            one.starts.async_wait([this, &one](auto) {
                one.board.configure(needs, values_.max_age, values_.unlisted_means);
                one.poll.start(values_, needs);
            });
        }
    }

    void run_for(double seconds) {
        io_.run_for(std::chrono::duration_cast<std::chrono::nanoseconds>(seconds_double(seconds)));
    }
    counts so_far() const {
        return {metrics_.polls_ok.get(), metrics_.polls_not_modified.get(), metrics_.polls_failed.get()};
    }

private:
    struct member {
        member(asio::io_context& io, sidecar::log& log, control_metrics& metrics)
            : poll(io, board, log, metrics),
              starts(io) {}
        readiness_board board;
        status_poll poll;
        asio::steady_timer starts;
    };

    const status_config values_;
    asio::io_context io_{1};
    sidecar::log log_{STDERR_FILENO, log_level::warn};
    control_metrics metrics_;
    std::deque<member> members_;
};

} // namespace

int main(int argc, char** argv) try {
    CLI::App app("the status polls of many sidecars");
    status_config values;
    std::size_t sidecars = 1;
    std::int64_t interval_ms = 1000, wait_s = 0;
    double warm = 0, seconds = 10;
    std::string secret;
    app.add_option("--url", values.url)->required();
    app.add_option("--sidecars", sidecars);
    app.add_option("--interval", interval_ms, "milliseconds");
    app.add_option("--wait", wait_s, "seconds that the backend is asked to hold a poll; 0: it is not");
    app.add_option("--secret", secret, "sent as X-Sidecar-Secret");
    app.add_option("--warm", warm, "seconds");
    app.add_option("--seconds", seconds);
    CLI11_PARSE(app, argc, argv);
    values.interval = milliseconds(interval_ms);
    values.wait = std::chrono::seconds(wait_s);
    values.max_age = std::max(values.max_age, 2 * (values.interval + values.wait + values.timeout));
    values.headers.push_back({"X-Sidecar-Secret", secret, ""});
    values.headers.push_back({"X-Forwarded-Proto", "https", ""}); // Rails sends a plain request to https

    fleet all(sidecars, values);
    all.run_for(warm);
    fmt::print("{{\"measuring\":true}}\n");
    std::fflush(stdout);
    const auto before = all.so_far();
    const auto began = std::chrono::steady_clock::now();
    all.run_for(seconds);
    const auto took = seconds_double(std::chrono::steady_clock::now() - began).count();
    const auto after = all.so_far();
    fmt::print("{{\"seconds\":{:.4f},\"documents\":{},\"not_modified\":{},\"failed\":{}}}\n", took,
               after.ok - before.ok, after.not_modified - before.not_modified, after.failed - before.failed);
    std::fflush(stdout);
    return 0;
} catch (const std::exception& error) {
    fmt::print(stderr, "polls: {}\n", error.what());
    return 1;
}
