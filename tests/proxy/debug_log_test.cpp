// What the log says of single requests: at debug each decision and what the connections to the backend do; in the
// access line how long a request waited for one of them, and how long it took to connect.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <string>

namespace debug_log_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";
const std::string project = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string busy = R"({"projects":[{"id":")" + project + R"(","is_upload_ready":false}]})";

std::string get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }

void at_debug(config& c) { c.log.level = sidecar::log_level::debug; }

// The line that has this, once it is there.
std::string line_with(const sidecar_under_test& proxy, const std::string& part) {
    const auto all = proxy.await_log(part);
    const auto at = all.find(part);
    const auto begin = all.rfind('\n', at) + 1;
    return all.substr(begin, all.find('\n', at) - begin);
}

std::string access_line(const sidecar_under_test& proxy, const std::string& target) {
    return line_with(proxy, R"("msg":"request","client":"127.0.0.1","method":"GET","target":")" + target + '"');
}

bool has(const std::string& line, std::string_view part) { return line.find(part) != std::string::npos; }

struct connection_event {
    std::string event;
    std::uint64_t connection;
};
std::string told_of(const connection_event& of) {
    return R"("msg":"upstream connection","worker":0,"event":")" + of.event + R"(","connection":)" +
           std::to_string(of.connection);
}

TEST_CASE("at debug a decision is told when it is made, before the backend has said anything") {
    scripted_backend backend;
    status_endpoint status(busy);
    sidecar_under_test proxy(backend, status, at_debug);
    auto client = proxy.connect();
    client.send("GET /api/v1/projects/" + project + "?info HTTP/1.1\r\nHost: a\r\nX-Request-Id: abc\r\n\r\n");
    const auto line = line_with(proxy, R"("msg":"decision")");
    CHECK(has(line, R"("level":"debug","msg":"decision","worker":0,"client":"127.0.0.1","method":"GET","target":)"
                    R"("/api/v1/projects/)" +
                        project +
                        R"(","action":"augment","reason":"augmented",)"
                        R"("rule":"project_info","id":")" +
                        project + R"(","request_id":"abc"})"));
    CHECK_FALSE(has(proxy.log_lines(), R"("msg":"request")"));
}

TEST_CASE("at debug a closed gate and a request that no rule selects are decisions, too") {
    scripted_backend backend;
    status_endpoint status(busy);
    sidecar_under_test proxy(backend, status, at_debug);
    proxy.ask("POST /api/v1/projects/" + project +
              "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n");
    CHECK(has(line_with(proxy, R"("action":"reply","reason":"not_ready")"), R"("msg":"decision")"));
    auto client = proxy.connect();
    client.send(get("/elsewhere"));
    CHECK(has(line_with(proxy, R"("target":"/elsewhere")"), R"("action":"forward","reason":"no_rule"})"));
}

TEST_CASE("at debug a connection to the backend is told of when it is opened, used again, and closed, and why") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, at_debug);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get("/1"), ok);
    CHECK(has(line_with(proxy, told_of({"opened", 1})),
              R"(,"address":"127.0.0.1:)" + std::to_string(backend.port()) + R"(","took":)"));

    SUBCASE("the response ends it") {
        client.send(get("/2"));
        up.receive_head();
        up.send(last);
        CHECK(client.receive_answer().body == "ok");
        CHECK(has(line_with(proxy, told_of({"closed", 1})), R"("why":"ended_by_response")"));
        CHECK(proxy.log_lines().find(told_of({"reused", 1})) < proxy.log_lines().find(told_of({"closed", 1})));
    }
    SUBCASE("the backend closes it while it is idle") {
        up.close();
        CHECK(has(line_with(proxy, told_of({"closed", 1})), R"("why":"by_backend")"));
    }
    SUBCASE("the backend breaks a response off, and the reason is the request's") {
        client.send(get("/2"));
        up.receive_head();
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
        up.close();
        CHECK(has(line_with(proxy, told_of({"closed", 1})), R"("why":"truncated_response")"));
    }
    SUBCASE("the kept one is dead, and the request goes on another") {
        client.send(get("/2"));
        up.receive_head();
        up.close();
        auto fresh = backend.accept();
        CHECK(has(line_with(proxy, told_of({"closed", 1})), R"("why":"dead")"));
        line_with(proxy, told_of({"opened", 2}));
    }
    SUBCASE("the sidecar drains") {
        proxy.drain();
        CHECK(has(line_with(proxy, told_of({"closed", 1})), R"("why":"drain")"));
    }
}

TEST_CASE("at debug an idle connection's end by upstream.idle_timeout is told") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        at_debug(c);
        c.upstream.idle_timeout = 20ms;
    });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get("/"), ok);
    CHECK(has(line_with(proxy, told_of({"closed", 1})), R"("why":"idle_timeout")"));
}

TEST_CASE("at debug each failed attempt to connect is told, with the system's word for it") {
    closed_port nobody;
    sidecar_under_test proxy(nobody.port(), [](config& c) {
        at_debug(c);
        c.upstream.connect_retry = 0ms;
    });
    proxy.ask(get("/"));
    CHECK(has(line_with(proxy, R"("event":"failed")"),
              R"("msg":"upstream connection","worker":0,"event":"failed","address":"127.0.0.1:)" +
                  std::to_string(nobody.port()) + R"(","error":"Connection refused"})"));
}

TEST_CASE("at debug who waits in line for a connection is told of, and with what it leaves") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        at_debug(c);
        c.upstream.connections_max = 1;
    });
    auto holder = proxy.connect(), waiting = proxy.connect();
    holder.send(get("/holder"));
    auto up = backend.accept();
    up.receive_head();
    waiting.send(get("/waiting"));
    line_with(proxy, R"("msg":"upstream line","worker":0,"event":"joined","waiting":0})");
    SUBCASE("the connection") {
        up.send(ok);
        up.receive_head();
        up.send(ok);
        CHECK(has(line_with(proxy, R"("event":"left")"), R"("why":"connection"})"));
    }
    SUBCASE("a place, for a connection of its own") {
        up.send(last);
        auto fresh = backend.accept();
        CHECK(has(line_with(proxy, R"("event":"left")"), R"("why":"place"})"));
    }
    SUBCASE("nothing, since its client has gone") {
        waiting.reset();
        CHECK(has(line_with(proxy, R"("event":"left")"), R"("why":"client_gone"})"));
    }
}

TEST_CASE("at debug each poll is told, with what came of it") {
    scripted_backend backend;
    status_endpoint status(busy);
    sidecar_under_test proxy(backend, status, at_debug);
    CHECK(has(line_with(proxy, R"("msg":"status poll","outcome":"changed")"), R"("document_bytes":)"));
    status.fail();
    CHECK(has(line_with(proxy, R"("msg":"status poll","outcome":"failed")"), R"("reason":")"));
}

TEST_CASE("none of it at info; a reload begins it and ends it") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get("/quiet"), ok);
    access_line(proxy, "/quiet");
    CHECK_FALSE(has(proxy.log_lines(), R"("level":"debug")"));

    proxy.reload(at_debug);
    client.send(get("/loud"));
    up.receive_head();
    up.send(ok);
    access_line(proxy, "/loud");
    CHECK(has(proxy.log_lines(), told_of({"reused", 1})));

    proxy.reload([](config& c) { c.log.level = sidecar::log_level::info; });
    client.send(get("/quiet-again"));
    up.receive_head();
    up.send(ok);
    access_line(proxy, "/quiet-again");
    CHECK_FALSE(has(proxy.log_lines(),
                    R"("msg":"decision","worker":0,"client":"127.0.0.1","method":"GET","target":"/quiet-again")"));
}

TEST_CASE("the access line tells the time in line from the time to connect") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connections_max = 1; });
    auto one = proxy.connect(), two = proxy.connect(), three = proxy.connect();
    one.send(get("/opens"));
    auto up = backend.accept();
    up.receive_head();
    two.send(get("/waits"));
    CHECK(two.stays_silent(10ms)); // it is in line
    up.send(ok);
    CHECK(one.receive_answer().body == "ok");
    up.receive_head();
    three.send(get("/both"));
    CHECK(three.stays_silent(10ms));
    up.send(last);
    CHECK(two.receive_answer().body == "ok");
    up = backend.accept();
    up.receive_head();
    up.send(ok);
    CHECK(three.receive_answer().body == "ok");
    one.send(get("/neither"));
    up.receive_head();
    up.send(ok);

    const auto opens = access_line(proxy, "/opens"), waits = access_line(proxy, "/waits"),
               both = access_line(proxy, "/both"), neither = access_line(proxy, "/neither");
    CHECK_FALSE(has(opens, R"("wait":)"));
    CHECK(has(opens, R"("connect":)"));
    CHECK(has(waits, R"("wait":)"));
    CHECK_FALSE(has(waits, R"("connect":)"));
    CHECK(has(both, R"("wait":)"));
    CHECK(has(both, R"("connect":)"));
    CHECK(both.find(R"("wait":)") < both.find(R"("connect":)"));
    CHECK_FALSE(has(neither, R"("wait":)"));
    CHECK_FALSE(has(neither, R"("connect":)"));
}

TEST_CASE("who is sent away from the line has waited, and has not connected") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.connections_max = 1;
        c.upstream.queue_timeout = 10ms;
    });
    auto holder = proxy.connect();
    holder.send(get("/holder"));
    auto up = backend.accept();
    up.receive_head();
    CHECK(status_of(proxy.ask(get("/late")).head) == 503);
    const auto line = access_line(proxy, "/late");
    CHECK(has(line, R"("error":"queue_timeout")"));
    CHECK(has(line, R"("wait":)"));
    CHECK_FALSE(has(line, R"("connect":)"));
}

} // namespace debug_log_test
