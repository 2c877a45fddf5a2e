// What travels as bytes must be unambiguous: requests that two readers could take differently get a 400, the
// connection is closed, and nothing of them reaches the backend (docs/behaviour.md 2.2, 6).
#include "tests/harness/http_text.hpp"
#include "tests/harness/play.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"
#include "tests/peers/cases.hpp"

#include <doctest/doctest.h>

namespace strict_requests_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string good_answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

void impatient(config& c) { c.downstream.header_timeout = 300ms; } // for heads that never end

bool client_ended(const outcome& seen) { return seen.client_ended != ending::none; }

void check_refused(const cases::hostile_request& one, const outcome& seen) {
    const auto context = one.name + "\n  sent:    " + shown(one.bytes) + "\n  client:  " + shown(seen.at_client) +
                         "\n  backend: " + shown(seen.at_backend);
    const int status = status_of(seen.at_client);
    // One whose end never comes, for a reader that takes CRLF alone as one, is timed out.
    const bool unknown_coding = status == 501 && lower(one.bytes).find("transfer-encoding") != std::string::npos;
    const bool refused =
        status == 400 || unknown_coding || (status == 408 && one.bytes.find("\r\n\r\n") == std::string::npos);
    CHECK_MESSAGE(refused, shown(context));
    CHECK_MESSAGE(seen.client_ended != ending::none, shown(context));
    CHECK_MESSAGE(seen.connections == 0, shown(context));
    CHECK_MESSAGE(field_of(seen.at_client, "Connection") == "close", shown(context));
    // One answer, and nothing for what stood behind.
    CHECK_MESSAGE(seen.at_client.find("HTTP/1.", 1) == std::string::npos, shown(context));
}

void check_all(const std::vector<cases::hostile_request>& all) {
    listener backend;
    sidecar_under_test proxy(backend, impatient);
    for (const auto& one : all) {
        for (const bool bytewise : {false, true}) {
            play script{one.bytes, good_answer, then::keep, client_ended, patience, bytewise};
            const auto seen = script.run(proxy.port(), backend);
            check_refused(one, seen);
            REQUIRE_FALSE(backend.has_connection());
        }
    }
}

TEST_CASE("ambiguous framing is refused") { check_all(cases::hostile_framing()); }
TEST_CASE("a missing, repeated or malformed Host is refused") { check_all(cases::hostile_hosts()); }
TEST_CASE("a target that is none is refused") { check_all(cases::hostile_targets()); }
TEST_CASE("malformed lines are refused") { check_all(cases::hostile_lines()); }

TEST_CASE("a body that goes wrong never reaches the backend whole") {
    listener backend;
    sidecar_under_test proxy(backend, impatient);
    for (const auto& one : cases::hostile_chunks()) {
        const auto request = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + one.body;
        const auto seen = play{request}.run(proxy.port(), backend);
        const auto context = shown(one.name + "\n  client:  " + seen.at_client + "\n  backend: " + seen.at_backend);
        const int status = status_of(seen.at_client);
        CHECK_MESSAGE((status == 400 || status == 413 || status == 431), context);
        CHECK_MESSAGE(seen.client_ended != ending::none, context);
        CHECK_MESSAGE(seen.backend_ended, context);
        CHECK_MESSAGE(seen.at_backend.size() < request.size(), context);
        CHECK_MESSAGE(request.starts_with(seen.at_backend), context);
    }
}

TEST_CASE("a bare LF at the very end is waited for, but not for ever") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.downstream.header_timeout = 200ms;
        c.downstream.body_timeout = 200ms;
    });
    auto client = proxy.connect();
    SUBCASE("of a head") {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\n");
        const auto answer = client.receive_rest();
        CHECK((status_of(answer) == 400 || status_of(answer) == 408));
        CHECK(backend.untouched());
    }
    SUBCASE("of the last chunk") {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\n");
        const auto answer = client.receive_rest();
        CHECK((status_of(answer) == 400 || status_of(answer) == 408));
    }
}

TEST_CASE("an empty chunked body whose last chunk comes in pieces is a whole one") {
    // Beast's own chunk reader ends the process here.
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    const std::string request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    client.send_bytewise(request);
    auto up = backend.accept();
    CHECK(up.receive(request.size()) == request);
    up.send(good_answer);
    CHECK(client.receive(good_answer.size()) == good_answer);
}

TEST_CASE("an absolute target beside another Host is refused, or goes on with the one it names") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET http://good/x HTTP/1.1\r\nHost: evil\r\n\r\n");
    while (!client.has_something() && backend.untouched()) std::this_thread::yield();
    if (backend.untouched()) {
        CHECK(status_of(client.receive_rest()) == 400);
    } else {
        auto up = backend.accept();
        CHECK(up.receive_head() == "GET /x HTTP/1.1\r\nHost: good\r\n\r\n");
    }
}

TEST_CASE("a bad request behind a good one is refused, and the good one answered") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET /bad HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n");
    auto up = backend.accept();
    CHECK(up.receive_head() == "GET /good HTTP/1.1\r\nHost: a\r\n\r\n");
    up.send(good_answer);
    const auto answers = client.receive_rest();
    CHECK(answers.starts_with(good_answer));
    CHECK(status_of(answers.substr(good_answer.size())) == 400);
    CHECK_FALSE(backend.connections() > 1);
    CHECK(backend.untouched());
}

TEST_CASE("the error says what was wrong, in the shape of the API's errors") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    const auto answer = proxy.ask("GET / HTTP/1.1\r\n\r\n");
    CHECK(answer.head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
    CHECK(field_of(answer.head, "Content-Type") == "application/json");
    CHECK(field_of(answer.head, "Cache-Control") == "no-cache");
    CHECK(field_of(answer.head, "Connection") == "close");
    CHECK(count_of(answer.head, "Date") == 1);
    CHECK(count_of(answer.head, "Server") == 0);
    CHECK(answer.body.starts_with("{\"error\":400,\"code\":\""));
}

} // namespace strict_requests_test
