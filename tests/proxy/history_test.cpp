#include "proxy/control_plane/glance.hpp"
#include "proxy/control_plane/history.hpp"
#include "proxy/control_plane/observer.hpp"
#include "proxy/control_plane/plots.hpp"
#include "proxy/control_plane/wording.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/standings.hpp"

#include <doctest/doctest.h>

namespace history_test {

using namespace sidecar;
using namespace sidecar::testing;
using namespace std::chrono_literals;

void respond(worker_metrics& of, std::size_t code, std::uint64_t n) {
    of.rules[worker_metrics::rules_max].requests[static_cast<std::size_t>(action_kind::forward)][code].add(n);
    of.reasons[reason::no_rule].add(n);
    for (std::uint64_t i = 0; i < n; ++i) of.rules[worker_metrics::rules_max].duration.observe(3ms);
}

TEST_CASE("the history holds fifteen minutes, and no more") {
    made_standing made;
    for (int second = 0; second < 1000; ++second) {
        respond(made.first, 2, 10);
        made.pass(1s);
    }
    const auto& bars = made.seen.past.bars();
    REQUIRE(bars.size() == history::bars_max);
    CHECK(bars.back().good == 50);
    CHECK(bars.back().failed == 0);
    CHECK(bars.back().seconds == doctest::Approx(5));
    CHECK(bars.back().median == doctest::Approx(0.00375).epsilon(0.01)); // within its bucket
}

TEST_CASE("the last minute and the last seconds are told apart") {
    made_standing made;
    made.observe();
    for (int second = 0; second < 60; ++second) {
        respond(made.first, second < 50 ? 2 : 5, 4);
        made.pass(1s);
    }
    const auto minute = made.seen.past.last(60s), lately = made.seen.past.last(5s);
    CHECK(minute.seconds == doctest::Approx(60));
    CHECK(minute.came.requests() == 240);
    CHECK(minute.came.backend_errors == 40);
    CHECK(lately.came.requests() == 20);
    CHECK(lately.came.backend_errors == 20);
}

TEST_CASE("few requests are judged over a longer time than many") {
    made_standing made;
    made.observe();
    for (int second = 0; second < 60; ++second) {
        if (second % 10 == 0) respond(made.first, 2, 1);
        made.pass(1s);
    }
    CHECK(made.seen.past.last_requests(5).seconds == doctest::Approx(60));
    CHECK(made.seen.past.last_requests(2).seconds == doctest::Approx(20));
    respond(made.first, 2, 9);
    made.pass(1s);
    CHECK(made.seen.past.last_requests(5).seconds == doctest::Approx(5));
}

TEST_CASE("only what waits at each look waits all the time") {
    made_standing made;
    made.pass(6s);
    made.first.upstream_pending.set(3);
    made.pass(3s);
    CHECK(made.seen.past.pending_least(5s) == 0);
    made.second.upstream_pending.set(2);
    made.pass(4s);
    CHECK(made.seen.past.pending_least(5s) == 3);
}

TEST_CASE("a silence counts from when somebody waits, not from the last response before a lull") {
    made_standing made;
    const auto state = [&] { return judge(made.now).state; };
    const auto pass = [&](std::chrono::seconds time) {
        made.pass(time);
        made.polled(one_of_each);
    };
    made.first.upstream_responses.add();
    pass(30s);
    made.first.upstream_awaited.set(3);
    pass(4s);
    CHECK(state() == health::ok);
    pass(2s); // the last look without them was a second before
    CHECK(judge(made.now).sentence == "the backend does not respond for 1.0 s: 3 requests wait");
    CHECK(state() == health::failing);
}

TEST_CASE("a response that has begun ends a silence, though its exchange goes on") {
    made_standing made;
    made.polled(one_of_each);
    made.observe();
    made.first.upstream_awaited.set(4);
    made.pass(4s);
    made.first.upstream_responses.add(); // and another request waits in its place
    made.pass(4s);
    CHECK(judge(made.now).state == health::ok);
    made.pass(2s);
    CHECK(judge(made.now).state == health::failing);
}

TEST_CASE("clients that wait in vain, go and come again do not hide a silence") {
    made_standing made;
    made.observe();
    for (int second = 0; second < 12; ++second) {
        const bool pause = second % 4 == 3; // nobody waits
        if (pause) made.first.upstream_given_up.add(3);
        made.first.upstream_awaited.set(pause ? 0 : 3);
        made.pass(1s);
        made.polled(one_of_each);
        if (!pause) CHECK((judge(made.now).state == health::failing) == (second >= 4));
    }
}

TEST_CASE("a client that goes within a response, and a lull behind it, are no silence") {
    made_standing made;
    made.first.upstream_responses.add();
    made.observe();
    made.first.failures.at(failure_reason::client_gone, 200).add();
    for (int second = 0; second < 12; ++second) {
        if (second == 10) made.first.upstream_awaited.set(3);
        made.polled(one_of_each);
        made.pass(1s);
    }
    CHECK(judge(made.now).state == health::ok);
}

TEST_CASE("neither do those that pause for longer before they come again") {
    made_standing made;
    made.observe();
    for (int second = 0; second < 24; ++second) {
        const int phase = second % 6;
        if (phase == 4) made.first.upstream_given_up.add(6);
        made.first.upstream_awaited.set(phase >= 4 ? 0 : 6);
        made.pass(1s);
        made.polled(one_of_each);
        if (phase < 4 && second > 4) CHECK(judge(made.now).state == health::failing);
    }
    made.first.upstream_awaited.set(6);
    for (std::chrono::seconds passed{0}; passed <= trouble_watch::gone_after; passed += 1s) {
        made.first.upstream_responses.add();
        made.pass(1s);
    }
    CHECK(judge(made.now).state != health::failing);
}

TEST_CASE("clients of little patience do not hide a silence, though nobody waits whenever it is looked") {
    made_standing made;
    made.observe();
    for (int second = 0; second < 12; ++second) {
        made.first.upstream_given_up.add(2);
        made.polled(one_of_each);
        made.pass(1s);
        CHECK((judge(made.now).state == health::failing) == (second >= 4));
    }
    CHECK(judge(made.now).sentence.find("requests have waited in vain") != std::string::npos);
    made.first.upstream_responses.add();
    made.pass(trouble_watch::gone_after + 1s);
    CHECK(judge(made.now).state == health::ok);
}

TEST_CASE("a few that went at once, and then nobody, are no silence") {
    made_standing made;
    made.polled(one_of_each);
    made.observe();
    made.first.upstream_given_up.add(6);
    for (int second = 0; second < 20; ++second) {
        made.polled(one_of_each);
        made.pass(1s);
        CHECK(judge(made.now).state == health::ok);
    }
}

TEST_CASE("that somebody waited in vain is forgotten in a lull") {
    made_standing made;
    const auto pass = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            made.polled(one_of_each);
            made.pass(1s);
        }
        return judge(made.now).state;
    };
    pass(1);
    made.first.upstream_awaited.set(1);
    pass(1);
    made.first.upstream_given_up.add();
    made.first.upstream_awaited.set(0);
    pass(20);
    made.first.upstream_awaited.set(3);
    CHECK(pass(3) == health::ok);
    CHECK(pass(5) == health::failing);
}

TEST_CASE("the backend is unreachable if connects fail and none succeeds, not if one of many fails") {
    made_standing made;
    const auto state = [&] { return judge(made.now).state; };
    made.polled(one_of_each);
    made.pass(2s);
    respond(made.first, 2, 50);
    made.first.upstream_connects.add(9);
    made.first.upstream_connect_failures.add(1);
    made.pass(1s);
    CHECK(state() == health::ok);
    made.pass(5s);
    made.polled(one_of_each);
    made.first.upstream_connect_failures.add(1);
    made.first.requests_in_flight.set(3);
    made.pass(1s);
    CHECK(judge(made.now).sentence == "backend unreachable for 1.0 s: 3 requests wait for it, up to 10 s");
    CHECK(look_at_a_glance(made.now).backend.line.find(" · 2 connects failed") != std::string::npos);
}

TEST_CASE("a closed gate is neither an error nor a client's mistake") {
    made_standing made;
    made.observe();
    made.first.rules[2].requests[static_cast<std::size_t>(action_kind::reply)][4].add(7);
    made.first.reasons[reason::not_ready].add(7);
    respond(made.first, 4, 2);
    made.pass(5s);
    const auto& bar = made.seen.past.bars().back();
    CHECK(bar.sent_away == 7);
    CHECK(bar.client_errors == 2);
    CHECK(bar.failed == 0);
}

TEST_CASE("a response that ends early has failed, whatever its status said; a client that goes has not") {
    made_standing made;
    made.observe();
    respond(made.first, 2, 3);
    made.first.failures.at(failure_reason::truncated_response, 200).add();
    made.first.failures.at(failure_reason::client_gone, 0).add();
    made.pass(5s);
    CHECK(made.seen.past.bars().back().failed == 1);
}

TEST_CASE("rules are rates of the last minute, and one that takes another's place begins at nought") {
    history past;
    const auto counted = [](std::uint64_t n) {
        rule_sums sums;
        sums.requests[0][2] = n;
        return sums;
    };
    time_point now{100s};
    for (std::uint64_t second = 0; second <= 120; ++second, now += 1s) past.add({}, {counted(second * 3)}, 0, now);
    auto [came, seconds] = past.rule_minute(0);
    CHECK(seconds >= 60);
    CHECK(seconds <= 71);
    CHECK(static_cast<double>(came.with_code(0, 5)) == doctest::Approx(3 * seconds));
    past.add({}, {counted(5)}, 0, now);
    CHECK(past.rule_minute(0).first.with_code(0, 5) == 5);
    CHECK(past.rule_minute(7).first.with_code(0, 5) == 0);
}

TEST_CASE("the last fifty events are kept") {
    history past;
    for (int i = 0; i < 120; ++i) past.note(event_kind::note, std::to_string(i), {}, {});
    REQUIRE(past.events().size() == history::events_max);
    CHECK(past.events().back().text == "119");
}

TEST_CASE("plots are drawn of what there is, and text in them is escaped") {
    made_standing made;
    CHECK(rate_plot(made.seen.past, made.now.now).find("<svg") != std::string::npos);
    CHECK(not_ready_plot(made.seen.past, made.now.now).empty());
    for (int i = 0; i < 30; ++i) {
        respond(made.first, i % 2 == 0 ? 2 : 5, 100);
        made.pass(1s);
    }
    made.seen.past.note(event_kind::bad, "<b>gone</b>", "<i>gone</i>", made.now.now);
    const auto rate = rate_plot(made.seen.past, made.now.now);
    CHECK(rate.find("area-good") != std::string::npos);
    CHECK(rate.find("area-failed") != std::string::npos);
    CHECK(rate.find("area-gate") == std::string::npos);
    CHECK(rate.find("&lt;b&gt;gone") != std::string::npos);
    CHECK(rate.find("<b>") == std::string::npos);
    CHECK(rate.find("&lt;i&gt;gone") != std::string::npos);
    CHECK(rate.find("<i>") == std::string::npos);
    CHECK(latency_plot(made.seen.past, made.now.now).find("line-p99") != std::string::npos);
}

TEST_CASE("a mark has its word where there is room, the latest first") {
    made_standing made;
    made.pass(900s);
    const auto note = [&](const std::string& label, std::chrono::seconds ago) {
        made.seen.past.note(event_kind::note, label, label, made.now.now - ago);
    };
    note("gone long ago", 901s);
    note("early", 600s);
    note("hidden", 310s);
    note("reload", 300s);
    note("late", 2s);
    const auto rate = rate_plot(made.seen.past, made.now.now);
    CHECK(rate.find(R"(<text x="99.8%" dx="-4" y="10" text-anchor="end">late</text>)") != std::string::npos);
    CHECK(rate.find(R"(<text x="66.7%" dx="4" y="10">reload</text>)") != std::string::npos);
    CHECK(rate.find(">hidden</text>") != std::string::npos); // before its mark
    CHECK(rate.find(R"(<text x="33.3%" dx="4" y="10">early</text>)") != std::string::npos);
    CHECK(rate.find("long ago") == std::string::npos);
    note("another", 1s);
    note("and another", 1s);
    CHECK(rate_plot(made.seen.past, made.now.now).find(">another</text>") == std::string::npos);
}

TEST_CASE("figures in words") {
    CHECK(singular("projects") == "project");
    CHECK(singular("properties") == "property");
    CHECK(singular("status") == "status");
    CHECK(singular("s") == "s");

    CHECK(count_words(1234567) == "1\u202f234\u202f567");
    CHECK(size_words(1536) == "1.5 KiB");
    CHECK(span_words(0.00027) == "0.27 ms");
    CHECK(span_words(42.4) == "42 s");
    CHECK(span_words(900) == "15 min");
    CHECK(span_words(187'200) == "2 d 4 h");
    CHECK(share_words(0, 0) == "0 %");
    CHECK(share_words(999, 1000) == "99 %"); // not all
    CHECK(share_words(1, 100'000) == "< 0.1 %");
    CHECK(rate_words(12.34) == "12.3");
}

TEST_CASE("the observer tells the log and the page when trouble begins and when it is over") {
    made_standing made;
    readable_log log;
    boost::asio::io_context io;
    observer watching(io, log.log, [] { return standing{}; });
    made.now.seen = &watching.seen();
    made.polled(one_of_each);
    const auto pass = [&](int seconds) {
        for (int i = 0; i < seconds; ++i) {
            made.now.now += 1s;
            made.polled(one_of_each);
            watching.look_at(made.now);
        }
    };
    pass(3);
    CHECK(judge(made.now).state == health::ok);
    made.now.reload_failure = "sidecar.yaml:1:1: no";
    pass(2);
    CHECK(judge(made.now).state == health::degraded);
    made.now.reload_failure = "";
    pass(5);
    CHECK(judge(made.now).state == health::ok);
    REQUIRE(watching.seen().past.events().size() == 2);
    CHECK(watching.seen().past.events()[0].text == "the changed configuration can't be used: sidecar.yaml:1:1: no");
    CHECK(watching.seen().past.events()[1].text.starts_with("over after "));
    CHECK(wait_until([&] { return log.count("\"msg\":\"trouble\",\"trouble\":\"bad_reload\"") == 1; }));
    CHECK(wait_until([&] { return log.count("\"msg\":\"trouble ended\",\"trouble\":\"bad_reload\"") == 1; }));
}

} // namespace history_test
