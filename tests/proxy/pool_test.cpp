// Connections to the backend are used again, if both messages ended cleanly with no byte left over, and not for too
// long (docs/behaviour.md 2.6).
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace pool_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Asks on a client connection of its own; the answer is read to its end.
void ask(const sidecar_under_test& proxy, wire& up, const std::string& answer = ok, const std::string& request = get) {
    auto client = proxy.connect();
    client.send(request);
    CHECK(up.receive(request.size()) == request);
    up.send(answer);
    client.receive(answer.size());
}

TEST_CASE("a connection to the backend serves one client after the other") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    for (int i = 0; i < 5; ++i) ask(proxy, up);
    ask(proxy, up, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n");
    ask(proxy, up, "HTTP/1.1 204 No Content\r\n\r\n");
    ask(proxy, up, "HTTP/1.1 500 Error\r\nContent-Length: 2\r\n\r\nno");
    ask(proxy, up, "HTTP/1.1 304 Not Modified\r\nContent-Length: 2\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    ask(proxy, up);
    CHECK(backend.untouched());
}

TEST_CASE("a connection is used again whatever the answer's size, also one that fills a buffer to the byte") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    for (std::size_t size = 512; size <= 1 << 20; size *= 2) {
        const auto head = [](std::size_t length) {
            return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(length) + "\r\n\r\n";
        };
        const auto length =
            size - head(size).size() + (std::to_string(size).size() - std::to_string(size - head(size).size()).size());
        const auto answer = head(length) + std::string(length, 'x');
        client.send(get);
        CHECK(up.receive_head() == get);
        up.send(answer);
        CHECK(client.receive(answer.size()).size() == answer.size());
    }
    CHECK(backend.untouched());
}

TEST_CASE("requests at the same time get a connection each, and these are used again") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto first = proxy.connect(), second = proxy.connect();
    first.send(get);
    auto one = backend.accept();
    second.send(get);
    auto two = backend.accept();
    for (auto* up : {&one, &two}) up->receive_head();
    two.send(ok);
    one.send(ok);
    CHECK(first.receive(ok.size()) == ok);
    CHECK(second.receive(ok.size()) == ok);
    first.send(get);
    second.send(get);
    one.receive_head();
    two.receive_head();
    CHECK(backend.untouched());
}

// They come to rest in one round of events, and are asked for in others.
TEST_CASE("connections that have come to rest together are used again each once") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    std::vector<wire> clients, ups;
    for (int i = 0; i < 12; ++i) {
        clients.push_back(proxy.connect());
        clients.back().send(get);
        ups.push_back(backend.accept());
        ups.back().receive_head();
    }
    for (int round = 0; round < 5; ++round) {
        for (auto& up : ups) up.send(ok);
        for (auto& client : clients) CHECK(client.receive(ok.size()) == ok);
        for (auto& client : clients) client.send(get);
        for (auto& up : ups) CHECK(up.receive_head() == get);
    }
    CHECK(backend.untouched());
}

TEST_CASE("a connection after a POST is used again by a GET") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi", ok);
    ask(proxy, up);
    CHECK(backend.untouched());
}

TEST_CASE("a connection is not used again") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    std::string answer = ok;
    std::string request = get;
    std::string beyond;
    SUBCASE("when a byte follows the answer") { beyond = "x"; }
    SUBCASE("when an empty line follows the answer") { beyond = "\r\n"; }
    SUBCASE("when another answer follows") { beyond = ok; }
    SUBCASE("when a byte follows the last chunk") {
        answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        beyond = "0";
    }
    SUBCASE("when a 204 has a body") {
        answer = "HTTP/1.1 204 No Content\r\n\r\n";
        beyond = "body";
    }
    SUBCASE("when a 304 has a body") {
        answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 4\r\n\r\n";
        beyond = "body";
    }
    SUBCASE("when the answer to a HEAD has a body") {
        request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
        beyond = "ok";
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
    }
    client.send(request);
    auto up = backend.accept();
    up.receive_head();
    up.send(answer + beyond);
    CHECK(client.receive(answer.size()) == answer);
    client.send(get);
    auto fresh = backend.accept();
    CHECK(fresh.receive_head() == get);
    fresh.send(ok);
    CHECK(client.receive(ok.size()) == ok); // and nothing of what lay beyond
    CHECK(up.receive_rest().empty());
}

TEST_CASE("a connection is not used again when the backend says so") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    std::string answer;
    SUBCASE("Connection: close") { answer = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok"; }
    SUBCASE("in another case, in a list") {
        answer = "HTTP/1.1 200 OK\r\nConnection: x, CLOSE\r\nContent-Length: 2\r\n\r\nok";
    }
    SUBCASE("by speaking HTTP/1.0") { answer = "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok"; }
    auto client = proxy.connect();
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    up.send(answer);
    CHECK(client.receive(ok.size()) == ok);
    CHECK(up.receive_rest().empty()); // it is closed at once
    client.send(get);
    CHECK(backend.accept().receive_head() == get);
}

TEST_CASE("what comes unasked on a kept connection ends it") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    SUBCASE("Puma's 408 before it closes") { up.send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"); }
    SUBCASE("an end") { up.end_writing(); }
    CHECK(up.receive_rest().empty());
    auto fresh = backend.serve_one(client, get, ok);
}

TEST_CASE("a kept connection is closed after its idle time") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.idle_timeout = 100ms; });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    CHECK(up.receive_rest().empty());
    client.send(get); // the client's own is still good
    auto fresh = backend.accept();
    fresh.receive_head();
    fresh.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

// Two requests at the same time, and then their connections at rest: `one` came first, and rests last.
struct two_connections {
    scripted_backend backend;
    sidecar_under_test proxy;
    wire first = proxy.connect(), second = proxy.connect();
    wire one, two;

    explicit two_connections(const sidecar_under_test::edit& edited = {}) : proxy(backend, edited) {
        first.send(get);
        one = backend.accept();
        two = backend.serve_one(second, get, ok);
        one.receive_head();
        one.send(ok);
        CHECK(first.receive(ok.size()) == ok);
    }
    void ask_on_one() {
        first.send(get);
        CHECK(one.receive_head() == get);
        one.send(ok);
        CHECK(first.receive(ok.size()) == ok);
    }
};

TEST_CASE("a reload with a shorter idle time holds for what is idle already") {
    two_connections with;
    with.proxy.reload([](config& c) { c.upstream.idle_timeout = 100ms; });
    with.ask_on_one(); // the worker learns of it
    CHECK(with.one.receive_rest().empty());
    CHECK(with.two.receive_rest().empty());
}

TEST_CASE("no more connections are kept than idle_connections_max: the one longest idle goes") {
    two_connections with([](config& c) { c.upstream.idle_connections_max = 1; });
    CHECK(with.two.receive_rest().empty());
    with.ask_on_one();
}

TEST_CASE("a reload that keeps fewer connections holds for what is idle already") {
    two_connections with;
    with.proxy.reload([](config& c) { c.upstream.idle_connections_max = 1; });
    CHECK(with.two.receive_rest().empty()); // by the worker's next turn
    with.ask_on_one();
}

TEST_CASE("a request waits for a place below upstream.connections_max, but not for ever") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.connections_max = 1;
        c.upstream.queue_timeout = 300ms;
        c.upstream.reuse_for_writes = 0ms;
    });
    auto first = proxy.connect(), second = proxy.connect();
    first.send(get);
    auto up = backend.accept();
    up.receive_head();
    second.send(get);
    SUBCASE("it gets it when the other has ended") {
        CHECK(second.stays_silent(50ms));
        up.send(ok);
        CHECK(first.receive(ok.size()) == ok);
        backend.await_request(up);
        CHECK(up.receive_head() == get);
        up.send(ok);
        CHECK(second.receive(ok.size()) == ok);
    }
    SUBCASE("or a 503") {
        const auto answer = second.receive_answer();
        CHECK(status_of(answer.head) == 503);
        CHECK(field_of(answer.head, "Retry-After") == "1");
        CHECK(backend.untouched());
    }
    SUBCASE("a POST closes a kept connection for one of its own") {
        up.send(ok);
        CHECK(first.receive(ok.size()) == ok);
        backend.await_request(up);
        up.receive_head();
        up.send(ok);
        CHECK(second.receive(ok.size()) == ok);
        second.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        CHECK(up.receive_rest().empty());
        CHECK(backend.accept().receive_head().starts_with("POST"));
    }
}

TEST_CASE("a request that Puma can't parse, and would answer late on a kept connection, gets a fresh one") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto kept = backend.serve_one(client, get, ok);
    for (const auto& target : {"/?" + std::string(12'000, 'q'), "/" + std::string(9'000, 'p'), std::string("/a<b")}) {
        client.send("GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n");
        auto fresh = backend.accept();
        fresh.receive_head();
        fresh.send("HTTP/1.1 400 Bad Request\r\n\r\n");
        fresh.close();
        CHECK(client.receive_answer().head.starts_with("HTTP/1.1 400 Bad Request\r\n"));
        client = proxy.connect(); // an answer without length ended it
    }
    client.send(get);
    CHECK(kept.receive(get.size()) == get); // all the while it has been kept
}

TEST_CASE("a connection is not used again behind a request with trailers, also where they come behind the response") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    const std::string begun = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n";
    const std::string rest = "0\r\nX-Sum: 1\r\n\r\n";
    auto client = proxy.connect();
    client.send(begun);
    auto up = backend.accept();
    CHECK(up.receive(begun.size()) == begun);
    SUBCASE("the response first") {
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
        client.send(rest);
        CHECK(up.receive(rest.size()) == rest);
    }
    SUBCASE("the trailers first") {
        client.send(rest);
        CHECK(up.receive(rest.size()) == rest);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }
    client.send(get);
    CHECK(backend.accept().receive_head() == get);
    CHECK(up.receive_rest().empty());
}

} // namespace pool_test
