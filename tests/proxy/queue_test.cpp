// The line for a connection to the backend (upstream.max_connections, max_pending, queue_timeout), and what is done
// while the backend is away: seen by clients and in the metrics.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <string>
#include <thread>
#include <vector>

namespace queue_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

struct line_of_one {
    scripted_backend backend;
    sidecar_under_test proxy;
    wire holder, up; // the one connection, and the request that has it

    explicit line_of_one(const sidecar_under_test::edit& edited = {})
        : proxy(backend, [&edited](config& c) {
              c.admin.address = sidecar::endpoint{"127.0.0.1", 0};
              c.upstream.connections_max = 1;
              if (edited) edited(c);
          }) {
        holder = proxy.connect();
        holder.send(get("/holder"));
        up = backend.accept();
        up.receive_head();
    }

    // The metric's line, once it is there.
    bool until(const std::string& line) const {
        const auto give_up_at = std::chrono::steady_clock::now() + patience;
        while (std::chrono::steady_clock::now() < give_up_at) {
            auto admin = wire::connect(proxy.admin_port());
            admin.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
            if (admin.receive_answer().body.find("\n" + line + "\n") != std::string::npos) return true;
            std::this_thread::yield();
        }
        return false;
    }
    bool until_waiting(int n) const { return until("sidecar_upstream_pending_requests " + std::to_string(n)); }
};

TEST_CASE(
    "beyond upstream.max_pending a request gets 503 with Retry-After at once, and those in line keep their place") {
    line_of_one with([](config& c) { c.upstream.pending_max = 2; });
    auto first = with.proxy.connect(), second = with.proxy.connect();
    first.send(get("/1"));
    CHECK(with.until_waiting(1));
    second.send(get("/2"));
    CHECK(with.until_waiting(2));
    const auto refused = with.proxy.ask(get("/3"));
    CHECK(status_of(refused.head) == 503);
    CHECK(field_of(refused.head, "Retry-After") == "1");
    CHECK(with.until(R"(sidecar_failures_total{reason="pending_limit",code="503",fault="sidecar"} 1)"));
    CHECK(with.until(R"(sidecar_limits_hit_total{limit="upstream_pending"} 1)"));
    CHECK(with.until(R"(sidecar_configured_limit{limit="upstream_pending"} 2)"));
    CHECK(with.until(R"(sidecar_configured_limit{limit="upstream_connections"} 1)"));
    with.up.send(ok);
    CHECK(with.up.receive_head() == get("/1"));
    with.up.send(ok);
    CHECK(with.up.receive_head() == get("/2"));
    with.up.send(ok);
    for (auto* each : {&with.holder, &first, &second}) CHECK(each->receive_answer().body == "ok");
    CHECK(with.until_waiting(0));
    CHECK(with.until("sidecar_upstream_wait_seconds_count 2")); // of those that waited; who was refused did not
}

TEST_CASE("upstream.max_pending: 0 lets nobody wait") {
    line_of_one with([](config& c) { c.upstream.pending_max = 0; });
    CHECK(status_of(with.proxy.ask(get("/1")).head) == 503);
    CHECK(with.until_waiting(0));
}

TEST_CASE("the line is served in the order in which it was joined") {
    line_of_one with;
    std::vector<wire> line;
    for (int i = 0; i < 5; ++i) {
        line.push_back(with.proxy.connect());
        line.back().send(get("/" + std::to_string(i)));
        REQUIRE(with.until_waiting(i + 1));
    }
    for (int i = 0; i < 5; ++i) {
        with.up.send(ok);
        CHECK(with.up.receive_head() == get("/" + std::to_string(i)));
    }
}

TEST_CASE("a client that goes leaves the line at once") {
    line_of_one with;
    auto leaves = with.proxy.connect(), stays = with.proxy.connect();
    leaves.send(get("/leaves"));
    CHECK(with.until_waiting(1));
    stays.send(get("/stays"));
    CHECK(with.until_waiting(2));
    leaves.reset();
    CHECK(with.until_waiting(1));
    with.up.send(ok);
    CHECK(with.up.receive_head() == get("/stays"));
}

TEST_CASE("upstream.queue_timeout ends the wait with 503, in metrics as such") {
    line_of_one with([](config& c) { c.upstream.queue_timeout = 20ms; });
    const auto refused = with.proxy.ask(get("/late"));
    CHECK(status_of(refused.head) == 503);
    CHECK(field_of(refused.head, "Retry-After") == "1");
    CHECK(with.until(R"(sidecar_failures_total{reason="queue_timeout",code="503",fault="sidecar"} 1)"));
    CHECK(with.until(R"(sidecar_limits_hit_total{limit="queue_timeout"} 1)"));
    CHECK(with.until("sidecar_upstream_wait_seconds_count 1"));
}

TEST_CASE("with the backend away for longer than connect_retry, one request probes, and the others fail at once") {
    scripted_backend backend(0);
    const auto first = wire::connect(backend.port()); // its queue is full: who connects waits for connect_timeout
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.connect_retry = 1ms;
        c.upstream.connect_timeout = 10ms;
    });
    proxy.ask(get("/away")); // from now on it is known to be away
    proxy.reload([](config& c) { c.upstream.connect_timeout = patience; });
    auto probe = proxy.connect();
    probe.send(get("/probe"));
    CHECK(probe.stays_silent(20ms)); // it tries
    for (int i = 0; i < 3; ++i) CHECK(status_of(proxy.ask(get("/fast")).head) == 503);
    proxy.await_log(R"("error":"upstream_connecting_failed_fast")");
    auto taken = backend.accept(); // and room is made: the probe's connection stands
    auto up = backend.accept();
    up.receive_head();
    up.send(ok);
    CHECK(probe.receive_answer().body == "ok");
    auto next = proxy.connect();
    next.send(get("/next"));
    CHECK(up.receive_head() == get("/next"));
}

TEST_CASE("while one request probes a backend that is back, the others wait for what it finds") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connect_retry = 1ms; });
    backend.refuse();
    CHECK(status_of(proxy.ask(get("/away")).head) == 503);
    backend.listen_again();
    std::vector<wire> all;
    for (int i = 0; i < 20; ++i) all.push_back(proxy.connect());
    for (auto& each : all) each.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    for (std::size_t i = 0; i < all.size(); ++i) {
        auto up = backend.accept();
        up.receive_head();
        up.send(ok);
    }
    for (auto& each : all) CHECK(status_of(each.receive_answer().head) == 200);
}

TEST_CASE("who is sent away while one request probes has taken no place, and none is left behind") {
    scripted_backend backend(0);
    const auto first = wire::connect(backend.port()); // its queue is full: who connects waits for connect_timeout
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.connect_retry = 1ms;
        c.upstream.connect_timeout = 10ms;
        c.upstream.connections_max = 1;
        c.upstream.queue_timeout = patience;
    });
    // The rest of its body does not come; the reply's place is another's all the same.
    auto waits = proxy.connect();
    waits.send("POST /away HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    CHECK(status_of(waits.receive_answer().head) == 503);
    proxy.reload([](config& c) { c.upstream.connect_timeout = patience; });
    auto probe = proxy.connect();
    probe.send(get("/probe"));
    CHECK(probe.stays_silent(20ms)); // it has the one place
    for (int i = 0; i < 3; ++i) CHECK(status_of(proxy.ask(get("/fast")).head) == 503);
    CHECK(proxy.log_lines().find("queue_timeout") == std::string::npos);
}

TEST_CASE("that a backend was away says nothing once nobody has tried for connect_retry, or none waited so long") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connect_retry = 1s; });
    backend.refuse();
    auto leaves = proxy.connect();
    leaves.send(get("/leaves"));
    CHECK(leaves.stays_silent(50ms));
    leaves.reset();
    CHECK(proxy.connect().stays_silent(1100ms));
    auto client = proxy.connect();
    client.send(get("/"));
    CHECK(client.stays_silent(200ms)); // it is tried again and again
    backend.listen_again();
    auto up = backend.accept();
    CHECK(up.receive_head() == get("/"));
    up.send(ok);
    CHECK(client.receive_answer().body == "ok");
}

TEST_CASE("an old address that nobody answers at makes no new one be away") {
    const closed_port old;
    scripted_backend backend;
    sidecar_under_test proxy(old.port(), [](config& c) { c.upstream.connect_retry = 300ms; });
    auto waits = proxy.connect();
    waits.send(get("/old"));
    CHECK(waits.stays_silent(50ms));
    proxy.reload([&](config& c) { c.upstream.address.port = backend.port(); });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get("/new"), ok);
    CHECK(status_of(waits.receive_answer().head) == 503);
    std::vector<wire> all;
    for (int i = 0; i < 5; ++i) all.push_back(proxy.connect());
    for (auto& each : all) each.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    up.receive_head();
    up.send(ok);
    for (std::size_t i = 1; i < all.size(); ++i) {
        auto another = backend.accept();
        another.receive_head();
        another.send(ok);
    }
    for (auto& each : all) CHECK(status_of(each.receive_answer().head) == 200);
}

TEST_CASE("upstream.max_connections, raised by a reload, lets in who waits") {
    line_of_one with;
    std::vector<wire> line;
    for (int i = 0; i < 3; ++i) {
        line.push_back(with.proxy.connect());
        line.back().send(get("/" + std::to_string(i)));
        REQUIRE(with.until_waiting(i + 1));
    }
    with.proxy.reload([](config& c) { c.upstream.connections_max = 3; });
    auto one = with.backend.accept(), two = with.backend.accept();
    CHECK(one.receive_head() == get("/0"));
    CHECK(two.receive_head() == get("/1"));
    CHECK(with.until_waiting(1));
    one.send(ok);
    CHECK(one.receive_head() == get("/2"));
}

TEST_CASE("upstream.max_connections, lowered by a reload, holds as requests end") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connections_max = 3; });
    std::vector<wire> clients, ups;
    for (int i = 0; i < 3; ++i) {
        clients.push_back(proxy.connect());
        clients.back().send(get("/" + std::to_string(i)));
        ups.push_back(backend.accept());
        ups.back().receive_head();
    }
    proxy.reload([](config& c) { c.upstream.connections_max = 1; });
    auto waits = proxy.connect();
    waits.send(get("/waits"));
    CHECK(waits.stays_silent(20ms));
    for (std::size_t i = 0; i < 2; ++i) {
        ups[i].send(ok);
        CHECK(clients[i].receive_answer().body == "ok");
        CHECK(ups[i].receive_rest().empty()); // one too many
    }
    ups[2].send(ok);
    CHECK(ups[2].receive_head() == get("/waits"));
}

// Two requests on kept connections began before the reload; the first one's connection dies, and it is sent again.
struct sent_again {
    scripted_backend backend;
    sidecar_under_test proxy{backend, [](config& c) { c.upstream.connections_max = 2; }};
    wire one = proxy.connect(), other = proxy.connect();
    wire up_one = backend.serve_one(one, get("/1"), ok), up_other;

    void reload(std::size_t connections_max) {
        one.send(get("/again"));
        CHECK(up_one.receive_head() == get("/again"));
        other.send(get("/other"));
        up_other = backend.accept();
        CHECK(up_other.receive_head() == get("/other"));
        proxy.reload([connections_max](config& c) { c.upstream.connections_max = connections_max; });
    }
};

TEST_CASE_FIXTURE(sent_again,
                  "a request of before a reload that raised max_connections finds the places that there are") {
    reload(3);
    auto late = proxy.connect();
    late.send(get("/late"));
    auto up_late = backend.accept();
    CHECK(up_late.receive_head() == get("/late"));
    up_one.close();
    auto again = backend.accept();
    CHECK(again.receive_head() == get("/again"));
    again.send(ok);
    CHECK(one.receive_answer().body == "ok");
}

TEST_CASE_FIXTURE(sent_again, "a request of before a reload that lowered max_connections opens none beyond that") {
    reload(1);
    up_one.close();
    CHECK(one.stays_silent(50ms));
    CHECK(backend.untouched());
    up_other.send(ok);
    CHECK(other.receive_answer().body == "ok");
    auto again = backend.accept();
    CHECK(again.receive_head() == get("/again"));
}

TEST_CASE("on_half_close: abort: a client that ends its side leaves the line, or never joins it, and is not sent on") {
    line_of_one with([](config& c) { c.downstream.on_half_close = sidecar::half_close::abort; });
    auto leaves = with.proxy.connect();
    leaves.send("POST /leaves HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    SUBCASE("at once") {}
    SUBCASE("while it waits") { CHECK(with.until_waiting(1)); }
    leaves.end_writing();
    CHECK(leaves.receive_rest().empty());
    CHECK(with.until_waiting(0));
    with.up.send(ok);
    CHECK(with.holder.receive_answer().body == "ok");
    CHECK(with.up.stays_silent(50ms));
    CHECK(with.backend.untouched());
}

TEST_CASE("an interim response is none: the request is waited for until its final head is here") {
    line_of_one with;
    with.up.send("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(with.holder.receive_head() == "HTTP/1.1 100 Continue\r\n\r\n");
    with.up.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Len"); // and a part of it
    CHECK(with.holder.receive_head() == "HTTP/1.1 103 Early Hints\r\n\r\n");
    CHECK(with.until("sidecar_upstream_awaited_responses 1"));
    CHECK(with.until("sidecar_upstream_responses_total 0"));
    with.up.send("gth: 2\r\n\r\nok");
    CHECK(with.holder.receive_answer().body == "ok");
    CHECK(with.until("sidecar_upstream_awaited_responses 0"));
    CHECK(with.until("sidecar_upstream_responses_total 1"));
    CHECK(with.until("sidecar_upstream_response_seconds_count 1"));
}

TEST_CASE("of a head a part is none: once the request is whole, the rest is waited for") {
    line_of_one with;
    with.up.send(ok);
    CHECK(with.holder.receive_answer().body == "ok");
    with.holder.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
    with.backend.await_request(with.up);
    with.up.receive_head();
    with.up.send("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Len");
    CHECK(with.holder.receive_head() == "HTTP/1.1 103 Early Hints\r\n\r\n");
    with.holder.send("y");
    CHECK(with.until("sidecar_upstream_awaited_responses 1"));
    with.up.send("gth: 2\r\n\r\nok");
    CHECK(with.holder.receive_answer().body == "ok");
    CHECK(with.until("sidecar_upstream_awaited_responses 0"));
}

TEST_CASE("connections to the backend are counted when they stand, attempts that fail apart from them") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.admin.address = sidecar::endpoint{"127.0.0.1", 0};
        c.upstream.connect_retry = 0ms;
    });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get("/"), ok);
    up.close();
    backend.refuse();
    CHECK(status_of(proxy.ask(get("/")).head) == 503);
    auto admin = wire::connect(proxy.admin_port());
    admin.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const auto metrics = admin.receive_answer().body;
    CHECK(metrics.find("\nsidecar_upstream_connects_total 1\n") != std::string::npos);
    CHECK(metrics.find("\nsidecar_upstream_connect_failures_total 1\n") != std::string::npos);
    CHECK(metrics.find("\nsidecar_upstream_connect_seconds_count 1\n") != std::string::npos);
}

} // namespace queue_test
