// Polls that the backend holds until there is news (`Prefer: wait`, RFC 7240), and what a lesson does to them.
#include "proxy/control_plane/status_poll.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/scripted_http.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <condition_variable>

namespace status_hold_test {

using namespace sidecar;
using namespace sidecar::testing;
using steady = std::chrono::steady_clock;

const auto project = *parse_uuid("ca29f7df-33ca-46dd-a015-92c46fdb6fd1");
const schema needs{{{"projects", {"is_upload_ready"}}}};

// A status endpoint whose document has a version; it holds conditional requests that ask for it, if it is one that
// does.
class holding_backend {
public:
    enum class manner { says_so, silent, ignores };

    explicit holding_backend(manner how) : how_(how) {}

    void change() {
        std::lock_guard lock(mutex_);
        ++version_;
        changed_.notify_all();
    }
    std::size_t held() const { return held_; }
    std::vector<time_point> times() const {
        std::lock_guard lock(mutex_);
        return times_;
    }

private:
    scripted_http::answer answer(const std::string& head) {
        std::unique_lock lock(mutex_);
        times_.push_back(steady::now());
        const auto current = [this] { return "\"" + std::to_string(version_) + "\""; };
        const bool asked = how_ != manner::ignores && !field(head, "Prefer").empty();
        if (asked && field(head, "If-None-Match") == current()) {
            ++held_;
            const auto end = steady::now() + std::chrono::seconds(std::stoi(field(head, "Prefer").substr(5)));
            while (field(head, "If-None-Match") == current() && steady::now() < end && !server.stopping())
                changed_.wait_for(lock, 10ms);
        }
        const std::string applied = asked && how_ == manner::says_so ? "Preference-Applied: wait\r\n" : "";
        if (field(head, "If-None-Match") == current()) return status(304, applied);
        const auto* ready = version_ % 2 == 0 ? "true" : "false";
        return json(R"({"projects":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_upload_ready":)" +
                        std::string(ready) + "}]}",
                    current(), applied);
    }

    const manner how_;
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    int version_ = 1;
    std::atomic<std::size_t> held_{0};
    std::vector<time_point> times_;

public:
    scripted_http server{[this](const std::string& head) { return answer(head); }};
};

struct polling {
    boost::asio::io_context io;
    readable_log log;
    control_metrics metrics;
    readiness_board board;
    status_poll poll{io, board, log.log, metrics};

    polling(const holding_backend& backend, milliseconds interval, std::chrono::seconds wait = 10s) {
        status_config values;
        values.url = backend.server.url();
        values.interval = interval;
        values.jitter = 0;
        values.timeout = 5s;
        values.wait = wait;
        board.configure(needs, values.max_age, values.unlisted_means);
        poll.start(values, needs);
    }
    bool until(const std::function<bool()>& happened) { return run_until(io, happened); }
    state now_is() const { return board.published().get()->look_up(0, 0, project, steady::now()); }

    void learn_not_ready() {
        learned_entry lesson;
        lesson.id = project;
        lesson.members.set(0, state::not_ready);
        lesson.at = steady::now();
        board.learn(lesson, needs, 100, lesson.at);
        poll.learned();
    }
};

// From the `from`th on.
milliseconds mean_gap(const std::vector<time_point>& times, std::size_t from) {
    const auto gaps = static_cast<int>(times.size() - from) - 1;
    return std::chrono::duration_cast<milliseconds>(times.back() - times[from]) / std::max(gaps, 1);
}

TEST_CASE("a held poll brings the change itself, and a quiet backend is asked no more") {
    for (const auto how : {holding_backend::manner::says_so, holding_backend::manner::silent}) {
        holding_backend backend(how);
        polling sidecar(backend, 100ms);
        REQUIRE(sidecar.until([&] { return backend.held() == 1; }));
        const auto head = backend.server.requests().back();
        CHECK(field(head, "Prefer") == "wait=10");
        CHECK(field(head, "If-None-Match") == "\"1\"");
        CHECK(sidecar.poll.report().held);
        const auto end = steady::now() + 400ms; // four intervals
        sidecar.until([&] { return steady::now() >= end; });
        const auto asked = backend.server.requests_count();
        CHECK(asked == 2);
        backend.change();
        REQUIRE(sidecar.until([&] { return sidecar.now_is() == state::ready; }));
        CHECK(backend.server.requests_count() <= asked + 1); // no other poll was needed to see it
        REQUIRE(sidecar.until([&] { return backend.held() == 2; }));
        if (how == holding_backend::manner::says_so) CHECK(sidecar.poll.report().backend_holds);
    }
}

TEST_CASE("a hold that ends without news is renewed at once") {
    holding_backend backend(holding_backend::manner::says_so);
    polling sidecar(backend, 100ms, 1s);
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_not_modified.get() >= 1; }));
    const auto ended = steady::now();
    REQUIRE(sidecar.until([&] { return backend.held() == 2; }));
    CHECK(steady::now() - ended < 1s);
}

TEST_CASE("a backend that ignores the wish is polled at the interval") {
    holding_backend backend(holding_backend::manner::ignores);
    polling sidecar(backend, 100ms);
    REQUIRE(sidecar.until([&] { return backend.times().size() >= 6; }));
    CHECK(mean_gap(backend.times(), 0) >= 50ms);
    CHECK_FALSE(sidecar.poll.report().backend_holds);
}

TEST_CASE("a backend that always has news is not asked in a busy loop") {
    holding_backend backend(holding_backend::manner::says_so);
    polling sidecar(backend, 200ms);
    REQUIRE(sidecar.until([&] {
        backend.change();
        return backend.times().size() >= 8;
    }));
    CHECK(mean_gap(backend.times(), 1) >= 25ms); // of 50
}

TEST_CASE("a lesson ends a held poll; a plain one overtakes the lesson, then polls are held again") {
    holding_backend backend(holding_backend::manner::says_so);
    backend.change(); // it says ready
    polling sidecar(backend, 100ms);
    REQUIRE(sidecar.until([&] { return backend.held() == 1; }));
    sidecar.learn_not_ready();
    CHECK(sidecar.now_is() == state::not_ready);
    REQUIRE(sidecar.until([&] { return sidecar.now_is() == state::ready; }));
    CHECK(field(backend.server.requests().back(), "Prefer").empty());
    REQUIRE(sidecar.until([&] { return backend.held() == 2; }));
    CHECK(sidecar.metrics.polls_failed.get() == 0);
}

TEST_CASE("a lesson while a poll is waited for brings it forward") {
    holding_backend backend(holding_backend::manner::ignores);
    backend.change();
    polling sidecar(backend, 1h);
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_ok.get() == 1; }));
    CHECK(backend.times().size() == 1);
    // An hour's quarter is too long to be waited for here: shorter, by a reload.
    status_config values;
    values.url = backend.server.url();
    values.interval = 2s;
    values.wait = 0ms;
    sidecar.poll.start(values, needs);
    REQUIRE(sidecar.until([&] { return backend.times().size() == 2; }));
    sidecar.learn_not_ready();
    REQUIRE(sidecar.until([&] { return sidecar.now_is() == state::ready; }));
    const auto times = backend.times();
    CHECK(times[2] - times[1] < 1900ms);
    CHECK(times[2] - times[1] > 300ms);
}

TEST_CASE("many lessons bring at most four polls an interval") {
    holding_backend backend(holding_backend::manner::says_so);
    polling sidecar(backend, 400ms);
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_ok.get() == 1; }));
    const auto end = steady::now() + 1s;
    sidecar.until([&] {
        sidecar.learn_not_ready();
        return steady::now() >= end;
    });
    CHECK(mean_gap(backend.times(), 0) >= 50ms); // of 100
    CHECK(backend.times().size() >= 4);
    CHECK(sidecar.metrics.polls_failed.get() == 0);
}

TEST_CASE("something that ends long requests is met with shorter ones") {
    scripted_http server(
        [](const std::string& head) { return field(head, "Prefer").empty() ? json("{}", "\"1\"") : status(500); });
    boost::asio::io_context io;
    readable_log log;
    control_metrics metrics;
    readiness_board board;
    status_poll poll(io, board, log.log, metrics);
    status_config values;
    values.url = server.url();
    values.interval = 20ms;
    values.backoff_max = 20ms;
    values.wait = 8s;
    board.configure(needs, values.max_age, values.unlisted_means);
    poll.start(values, needs);
    REQUIRE(run_until(io, [&] { return server.requests_count() >= 8; }));
    std::string asked;
    for (const auto& head : server.requests()) asked += field(head, "Prefer") + ";";
    CHECK(asked.starts_with(";wait=8;;wait=4;;wait=2;;wait=1;"));
}

} // namespace status_hold_test
