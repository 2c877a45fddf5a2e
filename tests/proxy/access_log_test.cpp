// The access line: which requests have one, at which level, and that what it says is true of the request.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <string>

namespace access_log_test {

using namespace harness;
using namespace std::chrono_literals;
using sidecar::log_level;
using lines_for = sidecar::access_log;

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string project = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";

std::string get(const std::string& target, const std::string& fields = "") {
    return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string answer_of(const std::string& status) { return "HTTP/1.1 " + status + "\r\nContent-Length: 2\r\n\r\nno"; }

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

std::string target_is(const std::string& target) { return R"("target":")" + target + '"'; }

// The access line that has this, once it is there.
std::string line_with(const sidecar_under_test& proxy, const std::string& part) {
    const auto all = proxy.await_log(part);
    const auto at = all.find(part);
    const auto begin = all.rfind('\n', at) + 1;
    return all.substr(begin, all.find('\n', at) - begin);
}

// An exchange on connections of its own; gives the head that the backend got.
std::string exchange(const sidecar_under_test& proxy, scripted_backend& backend, const std::string& request,
                     const std::string& response = ok) {
    auto client = proxy.connect();
    client.send(request);
    auto up = backend.accept();
    auto head = up.receive_head();
    up.send(response);
    up.close();
    client.receive_answer();
    return head;
}

// What was logged of three requests that ended well, with the backend's 404, and with its 500.
std::string lines_of_three(const sidecar_under_test::edit& edited) {
    scripted_backend backend;
    sidecar_under_test proxy(backend, edited);
    exchange(proxy, backend, get("/well"));
    exchange(proxy, backend, get("/404"), answer_of("404 Not Found"));
    exchange(proxy, backend, get("/500"), answer_of("500 Error"));
    // One that has a line in any case: lines come in order.
    proxy.reload([](config& c) { c.log = {}; });
    exchange(proxy, backend, get("/end"));
    return proxy.await_log(target_is("/end"));
}

TEST_CASE("log.access says which requests have a line") {
    lines_for which{};
    bool well = false, bad = false;
    SUBCASE("all") { which = lines_for::all, well = bad = true; }
    SUBCASE("errors: 4xx and 5xx, whoever's") { which = lines_for::errors, bad = true; }
    SUBCASE("off") { which = lines_for::off; }
    const auto lines = lines_of_three([which](config& c) { c.log.access = which; });
    CHECK(has(lines, target_is("/well")) == well);
    CHECK(has(lines, target_is("/404")) == bad);
    CHECK(has(lines, target_is("/500")) == bad);
}

TEST_CASE("log.slower_than gives those a line that took longer, whatever log.access says, and no others") {
    for (const auto& [limit, slow] : {std::pair(1ms, true), {3'600'000ms, false}}) {
        scripted_backend backend;
        sidecar_under_test proxy(backend, [limit = limit](config& c) {
            c.log.access = lines_for::off;
            c.log.slower_than = limit;
        });
        auto client = proxy.connect();
        client.send(get("/slow"));
        auto up = backend.accept();
        up.receive_head();
        CHECK(client.stays_silent(5ms));
        up.send(ok);
        client.receive_answer();
        proxy.reload([](config& c) { c.log = {}; });
        client.send(get("/end"));
        up.receive_head();
        up.send(ok);
        CHECK(has(proxy.await_log(target_is("/end")), target_is("/slow")) == slow);
    }
}

TEST_CASE("our own 5xx are errors, our own 4xx warnings; what the backend and the gate say is neither") {
    scripted_backend backend;
    status_endpoint status(R"({"projects":[{"id":")" + project + R"(","is_upload_ready":false}]})");
    sidecar_under_test proxy(backend, status, [](config& c) { c.upstream.connect_retry = 0ms; });
    exchange(proxy, backend, get("/500"), answer_of("500 Error"));
    CHECK(has(line_with(proxy, target_is("/500")), R"("level":"info")"));
    exchange(proxy, backend, get("/404"), answer_of("404 Not Found"));
    CHECK(has(line_with(proxy, target_is("/404")), R"("level":"info")"));
    const auto uploads = "/api/v1/projects/" + project + "/uploads";
    proxy.ask("POST " + uploads + " HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n");
    const auto gate = line_with(proxy, target_is(uploads));
    CHECK(has(gate, R"("level":"info")"));
    CHECK(has(gate, R"("status":404,"action":"reply","reason":"not_ready","rule":"upload_gate","id":")" + project));
    CHECK(has(gate, R"("duration":)"));
    proxy.ask("GET /400 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    CHECK(has(line_with(proxy, R"("status":400)"), R"("level":"warn")"));
    backend.refuse();
    proxy.ask(get("/503"));
    const auto refused = line_with(proxy, target_is("/503"));
    CHECK(has(refused, R"("level":"error")"));
    CHECK(has(refused, R"("status":503,"action":"error",)"));
    CHECK(has(refused, R"("error":"upstream_unreachable","duration":)"));
}

TEST_CASE("log.level is honoured by access lines") {
    const auto lines = [](log_level least) {
        scripted_backend backend;
        sidecar_under_test proxy(backend, [least](config& c) {
            c.log.level = least;
            c.upstream.connect_retry = 0ms;
        });
        exchange(proxy, backend, get("/well"));
        proxy.ask("GET /400 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
        backend.refuse();
        proxy.ask(get("/503"));
        return proxy.await_log(R"("status":503)");
    };
    const auto at_info = lines(log_level::info), at_warn = lines(log_level::warn), at_error = lines(log_level::error);
    CHECK(has(at_info, R"("status":200)"));
    CHECK_FALSE(has(at_warn, R"("status":200)"));
    CHECK(has(at_warn, R"("status":400)"));
    CHECK_FALSE(has(at_error, R"("status":400)"));
}

TEST_CASE("a head that is refused is an error of ours, with its reason, its code and its duration") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.downstream.header_timeout = 20ms;
        c.downstream.header_bytes_max = 4096;
        c.downstream.header_fields_max = 16;
        c.downstream.target_bytes_max = 256;
    });
    std::string request, code, why;
    SUBCASE("400") { request = "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", code = "400", why = "bad_request"; }
    SUBCASE("408") { request = "GET / HTTP/1.1\r\nHo", code = "408", why = "header_timeout"; }
    SUBCASE("414") { request = get("/" + std::string(300, 'x')), code = "414", why = "target_too_long"; }
    SUBCASE("431, by its size") {
        request = get("/", "A: " + std::string(5000, 'x') + "\r\n"), code = "431", why = "header_too_large";
    }
    SUBCASE("431, by its fields") {
        for (int i = 0; i < 20; ++i) request += "A: b\r\n";
        request = get("/", request), code = "431", why = "too_many_fields";
    }
    auto client = proxy.connect();
    client.send(request);
    CHECK(status_of(client.receive_head()) == std::stoi(code));
    const auto line = line_with(proxy, R"("msg":"request")");
    CHECK(has(line, R"("level":"warn")"));
    CHECK(has(line, R"("status":)" + code + R"(,"action":"error")"));
    CHECK(has(line, R"("error":")" + why + '"'));
    CHECK(has(line, R"("duration":)"));
    CHECK_FALSE(has(line, R"("reason":)")); // nothing was decided
    CHECK(backend.untouched());
}

TEST_CASE("who asked, and by which trace, is told as it came") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    exchange(proxy, backend,
             get("/asked", "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nUser-Agent: DukeDSClient/1.0\r\n"
                           "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n"));
    const auto line = line_with(proxy, target_is("/asked"));
    CHECK(has(line, R"("client":"127.0.0.1","forwarded_for":"192.0.2.1, 192.0.2.2")"));
    CHECK(has(line, R"("user_agent":"DukeDSClient/1.0")"));
    CHECK(has(line, R"("trace_id":"0af7651916cd43dd8448eb211c80319c")"));
}

TEST_CASE("the request id that is logged is the one that went to the backend") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.forward.x_request_id = true; });
    const auto made = field_of(exchange(proxy, backend, get("/made")), "X-Request-Id");
    REQUIRE(made.has_value());
    CHECK(has(line_with(proxy, target_is("/made")), R"("request_id":")" + std::string(*made) + '"'));
    const auto kept = field_of(exchange(proxy, backend, get("/kept", "X-Request-Id: theirs\r\n")), "X-Request-Id");
    CHECK(kept == "theirs");
    CHECK(has(line_with(proxy, target_is("/kept")), R"("request_id":"theirs")"));
}

TEST_CASE("a response that is cut, and a connection closed in place of one, are errors") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.unreachable = sidecar::on_failure::close;
        c.upstream.connect_retry = 0ms;
    });
    auto client = proxy.connect();
    client.send(get("/cut"));
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok");
    up.close();
    client.receive_rest();
    const auto cut = line_with(proxy, target_is("/cut"));
    CHECK(has(cut, R"("level":"error")"));
    CHECK(has(cut, R"("error":"truncated_response")"));
    backend.refuse();
    auto other = proxy.connect();
    other.send(get("/closed"));
    CHECK(other.receive_rest().empty());
    const auto closed = line_with(proxy, target_is("/closed"));
    CHECK(has(closed, R"("level":"error")"));
    CHECK(has(closed, R"("status":0,)"));
    CHECK(has(closed, R"("error":"upstream_unreachable")"));
}

} // namespace access_log_test
