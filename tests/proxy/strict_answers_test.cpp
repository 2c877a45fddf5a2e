// Answers that two readers could take differently don't go on: the client gets a 502, both connections are closed, and
// never is a byte of one exchange taken for the next (docs/behaviour.md 2.2, 6).
#include "tests/harness/http_text.hpp"
#include "tests/harness/play.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"
#include "tests/peers/cases.hpp"

#include <doctest/doctest.h>

namespace strict_answers_test {

using namespace harness;
using namespace std::chrono_literals;

// Nothing is left over from the exchange before.
void check_next_exchange(scripted_backend& backend, wire& client) {
    client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    CHECK(up.receive_head().starts_with("GET /next "));
    const std::string answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 4\r\n\r\nnext";
    up.send(answer);
    CHECK(client.receive_answer().bytes() == "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
}

TEST_CASE("ambiguous and malformed answers become a 502") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.response_timeout = 1s;
        c.upstream.no_answer = sidecar::on_failure::answer;
    });
    for (const auto& one : cases::hostile_answers()) {
        auto client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        auto up = backend.accept();
        up.receive_head();
        up.try_send(one.bytes);
        if (one.ends) up.end_writing();
        // A head that never ends is timed out.
        const bool endless = !one.ends && one.bytes.find("\r\n\r\n") == std::string::npos;
        auto answer = client.receive_answer();
        if (status_of(answer.head) == 100) answer = client.receive_answer();
        const auto context = shown(one.name + "\n  sent: " + one.bytes + "\n  client: " + answer.bytes());
        CHECK_MESSAGE(status_of(answer.head) == (endless ? 504 : 502), context);
        CHECK_MESSAGE(answer.body.find("hello") == std::string::npos, context);
        up.receive_rest(); // the sidecar has ended it
        CHECK_MESSAGE(backend.untouched(), context);
        CHECK_MESSAGE(!client.has_bytes(), context);
        if (field_of(answer.head, "Connection") != "close") check_next_exchange(backend, client);
    }
}

TEST_CASE("an answer whose chunks go wrong never looks whole to the client") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const auto& one : cases::hostile_chunks()) {
        auto client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        auto up = backend.accept();
        up.receive_head();
        up.try_send(head + one.body);
        const auto answer = client.receive_502_or_rest();
        const auto context = shown(one.name + "\n  client: " + answer);
        if (status_of(answer) != 502) {
            CHECK_MESSAGE((head + one.body).starts_with(answer), context);
            CHECK_MESSAGE(answer.size() < head.size() + one.body.size(), context);
        }
        up.receive_rest();
    }
}

TEST_CASE("chunks that go wrong before anything has gone out are a 502") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    const std::string head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const std::string body : {"zz\r\n", "5\r\nabcde\r\nzz\r\n", "5\r\nabcdeXX"}) {
        auto client = proxy.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        auto up = backend.accept();
        up.receive_head();
        up.send(head + body); // one segment
        CHECK(status_of(client.receive_answer().head) == 502);
        up.receive_rest();
        client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
        CHECK(backend.accept().receive_head().starts_with("GET /next "));
    }
}

TEST_CASE("the 502 has the shape of the API's errors, and the next request is served") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    {
        auto up = backend.accept();
        up.receive_head();
        up.send("rubbish\r\n\r\n");
        const auto answer = client.receive_answer();
        CHECK(answer.head.starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
        CHECK(answer.body.starts_with("{\"error\":502,\"code\":\""));
    }
    auto other = proxy.connect();
    other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(status_of(other.receive_head()) == 204);
}

TEST_CASE("a bad answer behind interim ones becomes a 502 behind them") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    const std::string hints = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n";
    up.send(hints + "HTTP/1.1 999 No\r\n\r\n");
    CHECK(client.receive(hints.size()) == hints);
    CHECK(status_of(client.receive_head()) == 502);
}

TEST_CASE("endless interim answers are not followed for ever") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    const std::string hint = "HTTP/1.1 103 Early Hints\r\n\r\n";
    std::string many;
    for (int i = 0; i < 10'000; ++i) many += hint;
    up.try_send(many);
    const auto passed = client.receive_until("HTTP/1.1 502 ");
    CHECK(passed.size() < many.size() / 10);
}

TEST_CASE("bytes behind an answer don't become the next one's") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
    up.send(answer + "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison");
    CHECK(client.receive(answer.size()) == answer);
    client.send("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    auto fresh = backend.accept();
    CHECK(fresh.receive_head().starts_with("GET /2 "));
    fresh.send(answer);
    CHECK(client.receive(answer.size()) == answer);
    CHECK(up.receive_rest().empty());
}

TEST_CASE("an answer that is there before its request is nobody's") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connect_retry = 2s; });
    auto client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n1";
    up.send(answer);
    CHECK(client.receive(answer.size()) == answer);
    up.send("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"); // on the kept connection
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    auto fresh = backend.accept();
    fresh.receive_head();
    fresh.send(answer);
    CHECK(client.receive(answer.size()) == answer);
}

} // namespace strict_answers_test
