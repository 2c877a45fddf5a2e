// The banner's judgement, incident by incident: figures in, a sentence out.
#include "proxy/control_plane/health.hpp"

#include <doctest/doctest.h>

#include <cerrno>

namespace health_test {

using namespace sidecar;
using namespace std::chrono_literals;

// All is well: 50 requests, all good.
symptoms well() {
    symptoms seen;
    seen.up = 15min;
    seen.recent.responses[2] = seen.recent.begun = 50;
    seen.backend = "127.0.0.1:3000";
    seen.connect_retry = 10s;
    seen.polled = true;
    seen.age = 200ms;
    seen.max_age = 30s;
    return seen;
}

std::uint64_t& of(symptoms& seen, failure_reason why) { return seen.recent.failures[static_cast<std::size_t>(why)]; }

// `n` of the 50 fail so, with a 503 or what it is.
void fail(symptoms& seen, failure_reason why, std::uint64_t n) {
    seen.recent.responses[2] -= n;
    seen.recent.responses[5] += n;
    seen.recent.own_errors += n;
    of(seen, why) += n;
}

struct said {
    verdict now;
    std::vector<trouble_watch::lasting> present;

    // The trouble has been there for 42 seconds.
    explicit said(const symptoms& seen) {
        const time_point begin{1000s};
        trouble_watch watch;
        watch.look(find_trouble(seen), begin);
        watch.look(find_trouble(seen), begin + 42s);
        present = watch.present();
        now = judge(seen, present, begin + 42s);
    }
    std::string line() const { return std::string(to_string(now.state)) + ": " + now.sentence; }
    bool tells(std::string_view what) const {
        for (const auto& each : now.more)
            if (each.find(what) != std::string::npos) return true;
        return false;
    }
};

TEST_CASE("all is well") {
    CHECK(said(well()).line() == "ok: the backend responds, readiness is 0.2 s old");
    auto quiet = well();
    quiet.recent = {};
    CHECK(said(quiet).line() == "ok: no requests just now, readiness is 0.2 s old");
    quiet.recent.in_flight = 1;
    CHECK(said(quiet).line() == "ok: no response of the backend just now, readiness is 0.2 s old");
}

TEST_CASE("the backend refuses connections") {
    auto seen = well();
    fail(seen, failure_reason::upstream_unreachable, 50);
    seen.connects_fail = true;
    seen.recent.connect_errno = ECONNREFUSED;
    const said is(seen);
    CHECK(is.line() == "failing: backend unreachable for 42 s: every request fails");
    CHECK(is.tells("127.0.0.1:3000: Connection refused"));
}

TEST_CASE("the backend refuses connections, and requests still wait for it to come back") {
    auto seen = well();
    seen.recent = {};
    seen.recent.in_flight = 8;
    seen.connects_fail = true;
    CHECK(said(seen).line() == "failing: backend unreachable for 42 s: 8 requests wait for it, up to 10 s");
}

TEST_CASE("the backend's name does not resolve") {
    auto seen = well();
    seen.resolves = false;
    seen.backend = "dds.invalid:3000";
    fail(seen, failure_reason::upstream_unreachable, 50);
    CHECK(said(seen).line() == "failing: the backend's name does not resolve for 42 s: every request fails");
}

TEST_CASE("the backend is slow") {
    auto seen = well();
    for (int i = 0; i < 50; ++i) ++seen.recent.upstream.buckets[14]; // 1 to 2.5 s
    seen.recent.upstream.count = 50;
    CHECK(said(seen).line() ==
          "degraded: the backend is slow for 42 s: half of its responses take over 3.8 s to begin");
}

TEST_CASE("the backend stops within what it sends, or what it is sent") {
    auto seen = well();
    seen.recent = {};
    seen.recent.in_flight = 20;
    seen.recent.stalled = 18;
    const said is(seen);
    CHECK(is.line() == "failing: the backend does not go on for 42 s: 18 of 20 requests under way stand still");
    CHECK(is.tells("no byte moves within a request's or a response's body"));
    seen.ended_well = 1; // quiet streams beside others that go on
    CHECK(said(seen).now.state == health::ok);
    seen.ended_well = 0;
    seen.recent.stalled = 9;
    CHECK(said(seen).now.state == health::ok);
    seen.recent.in_flight = seen.recent.stalled = 1; // a single one may just be a long one
    CHECK(said(seen).now.state == health::ok);
}

TEST_CASE("the backend takes requests and does not respond") {
    auto seen = well();
    seen.recent = {};
    seen.recent.awaited = 8;
    seen.silent_for = 12s;
    const said is(seen);
    CHECK(is.line() == "failing: the backend does not respond for 42 s: 8 requests wait");
    CHECK(is.tells("no response has begun for 12 s"));
    seen.recent.awaited = 1; // a single one may just be a long one
    seen.silent_for = 8s;
    CHECK(said(seen).now.state == health::ok);
}

TEST_CASE("the backend takes too long: 504") {
    auto seen = well();
    fail(seen, failure_reason::response_timeout, 10);
    CHECK(said(seen).line() == "degraded: the backend takes too long for 42 s: 20 % of requests fail");
}

TEST_CASE("the backend responds with 500") {
    auto seen = well();
    seen.recent.responses[2] = 30;
    seen.recent.responses[5] = 20;
    seen.recent.backend_errors = 20;
    CHECK(said(seen).line() == "degraded: the backend responds with errors for 42 s: 40 % of requests get its 5xx");
    seen.recent.responses[2] = 0;
    CHECK(said(seen).line() == "failing: the backend responds with errors for 42 s: every request gets its 5xx");
}

TEST_CASE("the backend resets connections, or cuts responses off") {
    auto seen = well();
    fail(seen, failure_reason::no_response, 20);
    of(seen, failure_reason::truncated_response) = 10;
    const said is(seen);
    CHECK(is.line() == "failing: the backend breaks responses off for 42 s: 60 % of requests fail");
    CHECK(is.tells("closed without a response 20, within one 10"));
}

TEST_CASE("a single failure among many is worth no banner") {
    auto seen = well();
    fail(seen, failure_reason::no_response, 1);
    CHECK(said(seen).now.state == health::ok);
}

TEST_CASE("requests that fail for any other reason are told of, too") {
    auto seen = well();
    seen.recent.responses[2] = 40;
    seen.recent.responses[5] = 10;
    seen.recent.own_errors = 10;
    CHECK(said(seen).line() == "degraded: requests fail for 42 s: 20 % of requests fail");
}

TEST_CASE("what clients do wrong is no trouble of ours") {
    auto seen = well();
    of(seen, failure_reason::client_gone) = 40;
    of(seen, failure_reason::bad_request) = 40;
    CHECK(said(seen).now.state == health::ok);
}

TEST_CASE("too many requests at once: in line, then refused") {
    auto seen = well();
    seen.upstream_connections_max = 8;
    seen.pending_least = 3;
    seen.recent.pending = 12;
    CHECK(said(seen).line() == "degraded: requests wait for a connection to the backend for 42 s: 12 in line");
    fail(seen, failure_reason::pending_limit, 6);
    const said is(seen);
    CHECK(is.line() ==
          "degraded: too many requests for the connections to the backend for 42 s: 12 % of requests get 503");
    CHECK(is.tells("12 wait in line; upstream.max_connections 8"));
}

TEST_CASE("client connections at their limit") {
    auto seen = well();
    seen.recent.connections_refused = 7;
    seen.connections_max = 100;
    CHECK(said(seen).line() ==
          "degraded: client connections are at their limit for 42 s: new ones get 503, 7 just now");
    // Those that were refused have failed, and are told of once.
    fail(seen, failure_reason::connections_limit, 30);
    const said most(seen);
    CHECK(most.line() == "failing: client connections are at their limit for 42 s: new ones get 503, 30 just now");
    CHECK_FALSE(most.tells("requests fail"));
}

TEST_CASE("all client connections are taken, and nobody else has come yet") {
    auto seen = well();
    seen.recent.connections = seen.connections_max = 100;
    CHECK(said(seen).now.state == health::degraded);
    seen.recent.connections = 99;
    CHECK(said(seen).now.state == health::ok);
}

TEST_CASE("status polls fail: first readiness still counts, then it is unknown") {
    auto seen = well();
    seen.poll_failed = true;
    seen.polls_failed = 4;
    seen.poll_failure = "status, 500";
    seen.age = 11s;
    CHECK(said(seen).line() == "degraded: status polls fail for 42 s: readiness is 11 s old and counts until 30 s");
    CHECK(said(seen).tells("4 in a row: status, 500"));
    seen.fresh = false;
    seen.age = 42s;
    const said stale(seen);
    CHECK(stale.line() == "degraded: readiness is unknown for 42 s: info is left out, uploads pass unchecked");
    CHECK(stale.tells("also status polls fail"));
    seen.unknown_rejects = true;
    CHECK(said(seen).line() == "degraded: readiness is unknown for 42 s: info is left out, uploads are sent away");
}

TEST_CASE("status polls are slow") {
    auto seen = well();
    seen.poll_took = 4s;
    CHECK(said(seen).line() == "degraded: status polls are slow for 42 s: readiness lags behind");
}

TEST_CASE("a bad reload") {
    auto seen = well();
    seen.reload_failure = "sidecar.yaml:12:3: unknown key 'timeot'";
    const said is(seen);
    CHECK(is.line() == "degraded: the changed configuration can't be used for 42 s: the one before it is in force");
    CHECK(is.tells("sidecar.yaml:12:3"));
}

TEST_CASE("a worker hangs: the worst of all") {
    auto seen = well();
    seen.stuck_for = 12s;
    seen.resolves = false;
    const said is(seen);
    CHECK(is.now.state == health::failing);
    CHECK(is.now.sentence.starts_with("a worker hangs for 42 s: its connections get no answer; /livez fails, so"));
    CHECK(is.tells("also the backend's name does not resolve"));
    seen.stuck_for = 0s;
    seen.resolves = true;
    CHECK(said(seen).now.state == health::ok);
}

TEST_CASE("a worker that has not turned for a while is told of before /livez fails") {
    auto seen = well();
    seen.stuck_for = 6s;
    const said is(seen);
    CHECK(is.line() == "degraded: a worker hangs for 42 s: its connections get no answer; /livez fails after 10 s");
    CHECK(is.tells("it has not turned for 6.0 s"));
    CHECK(is.present.front().found.what == trouble::worker_stuck);
}

TEST_CASE("a start is no trouble: neither before the listener is open nor before the backend is up") {
    auto seen = well();
    seen.recent = {};
    seen.up = 3s;
    seen.polled = seen.fresh = false;
    seen.not_ready = "the first status poll has not been tried yet";
    CHECK(said(seen).line() == "starting: the first status poll has not been tried yet");
    seen.not_ready = "";
    seen.poll_failed = true;
    seen.polls_failed = 2;
    seen.poll_failure = "connect, Connection refused";
    const said is(seen);
    CHECK(is.line() == "starting: serving; no status poll has succeeded yet");
    CHECK(is.tells("status poll: connect, Connection refused"));
    CHECK(is.present.empty());
}

TEST_CASE("a drain is told of as such") {
    auto seen = well();
    seen.draining = true;
    seen.recent.in_flight = 3;
    CHECK(said(seen).line() == "draining: ending as asked; 3 in flight");
}

TEST_CASE("a trouble lasts from its first sight, and a moment's silence does not end it") {
    trouble_watch watch;
    const finding bad{trouble::slow, part::backend, health::degraded, "slow", "wait", ""};
    const time_point begin{100s};
    CHECK(watch.look({bad}, begin).began.size() == 1);
    CHECK(watch.look({}, begin + 2s).ended.empty());
    CHECK(watch.look({bad}, begin + 3s).began.empty());
    CHECK(watch.present().front().since == begin);
    CHECK(watch.look({}, begin + 5s).ended.empty());
    const auto ended = watch.look({}, begin + 6s).ended;
    REQUIRE(ended.size() == 1);
    CHECK(ended.front().seen == begin + 3s);
    CHECK(watch.present().empty());
}

TEST_CASE("what gets worse is told of again, once; what was told of in general gives way to what it is") {
    trouble_watch watch;
    finding bad{trouble::backend_errors, part::backend, health::degraded, "errors", "20 %", ""};
    const time_point begin{100s};
    CHECK(watch.look({bad}, begin).began.size() == 1);
    bad.level = health::failing;
    CHECK(watch.look({bad}, begin + 1s).began.size() == 1);
    bad.level = health::degraded;
    CHECK(watch.look({bad}, begin + 2s).began.empty());
    bad.level = health::failing;
    CHECK(watch.look({bad}, begin + 3s).began.empty());
    CHECK(watch.present().front().since == begin);

    trouble_watch other;
    other.look({{trouble::requests_fail, part::sidecar, health::failing, "requests fail", "", ""}}, begin);
    CHECK(other.look({bad}, begin + 1s).ended.size() == 1);
    CHECK(other.present().size() == 1);
}

} // namespace health_test
