// Requests in a row on one client connection: answered in order, and never pipelined to the backend
// (docs/behaviour.md 2.5, 2.6).
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace pipelining_test {

using namespace harness;
using namespace std::chrono_literals;

std::string get(const std::string& path) { return "GET /" + path + " HTTP/1.1\r\nHost: a\r\n\r\n"; }
std::string answer_to(const std::string& path) { return answer_with(path, "200 OK", ""); }

// Answers with the target's path, without its slash.
std::string echo(std::string_view request) {
    const auto begin = request.find('/') + 1;
    return answer_to(std::string(request.substr(begin, request.find(' ', begin) - begin)));
}

TEST_CASE("pipelined requests are answered in order, one at a time") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send(get("1") + get("2") + get("3"));
    auto up = backend.accept();
    for (const std::string path : {"1", "2", "3"}) {
        CHECK(up.receive(get(path).size()) == get(path));
        if (path == "1") CHECK(up.stays_silent(50ms)); // the next waits for the answer
        CHECK(backend.untouched());
        up.send(answer_to(path));
        CHECK(client.receive(answer_to(path).size()) == answer_to(path));
    }
}

TEST_CASE("many pipelined requests, in one piece and in single bytes") {
    answering_backend backend{echo};
    sidecar_under_test proxy(backend);
    std::string requests;
    std::string expected;
    for (int i = 0; i < 200; ++i) {
        const auto path = std::to_string(i);
        if (i % 3 == 1) {
            requests += "POST /" + path + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
        } else if (i % 3 == 2) {
            requests += "POST /" + path +
                        " HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n";
        } else {
            requests += get(path);
        }
        expected += answer_to(path);
    }
    auto client = proxy.connect();
    SUBCASE("one piece") { client.send(requests); }
    SUBCASE("single bytes") { client.send_bytewise(requests); }
    CHECK(client.receive(expected.size()) == expected);
    std::string arrived;
    for (const auto& request : backend.requests()) arrived += request;
    CHECK(arrived == requests);
}

TEST_CASE("what follows a body is the next request, wherever the pieces are cut") {
    answering_backend backend{echo};
    sidecar_under_test proxy(backend);
    const std::string body = "POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello";
    const std::string both = body + get("2");
    for (std::size_t cut = body.size() - 6; cut <= body.size() + 3; ++cut) {
        auto client = proxy.connect();
        client.send(both.substr(0, cut));
        std::this_thread::yield();
        client.send(both.substr(cut));
        const auto expected = answer_to("1") + answer_to("2");
        CHECK(client.receive(expected.size()) == expected);
    }
}

TEST_CASE("what follows a request that closes is not served") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("GET /1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + get("2"));
    auto up = backend.accept();
    up.receive_head();
    up.send(answer_to("1"));
    CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\n1");
    CHECK(backend.untouched());
    CHECK_FALSE(up.has_bytes());
}

TEST_CASE("what follows a request whose answer lasts until the end is not served") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send(get("1") + get("2"));
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\n\r\n1");
    up.close();
    CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n1");
    CHECK(backend.untouched());
}

TEST_CASE("pipelined HEAD, 304 and 204 don't shift the answers behind them") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    const std::string head = "HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n";
    client.send(head + get("2") + get("3") + get("4"));
    auto up = backend.accept();
    std::string expected;
    for (const std::string answer :
         {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n",
          "HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n4"}) {
        up.receive_head();
        up.send(answer);
        expected += answer;
    }
    CHECK(client.receive(expected.size()) == expected);
}

TEST_CASE("an unfinished request behind a good one waits for its rest") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send(get("1") + "GET /2 HTT");
    auto up = backend.accept();
    up.receive_head();
    up.send(answer_to("1"));
    CHECK(client.receive(answer_to("1").size()) == answer_to("1"));
    CHECK(up.stays_silent(30ms));
    client.send("P/1.1\r\nHost: a\r\n\r\n");
    CHECK(up.receive_head() == get("2"));
}

TEST_CASE("a client that ends its side behind several requests gets all answers") {
    answering_backend backend{echo};
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send(get("1") + get("2") + get("3"));
    client.end_writing();
    const auto answers = client.receive_rest();
    CHECK(answers.starts_with(answer_to("1") + answer_to("2")));
    CHECK(answers.ends_with("\r\n\r\n3"));
    CHECK(client.ended() == ending::fin);
}

} // namespace pipelining_test
