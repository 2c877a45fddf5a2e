// What clients get when something breaks (docs/behaviour.md 2.7, 2.8, 6): never a false success, never a POST twice,
// and the blame where it belongs.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <thread>

namespace failure_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

void check_error(const message& answer, int status) {
    CHECK(status_of(answer.head) == status);
    CHECK(field_of(answer.head, "Content-Type") == "application/json");
    CHECK(field_of(answer.head, "Cache-Control") == "no-cache");
    CHECK(count_of(answer.head, "Date") == 1);
    CHECK(field_of(answer.head, "Retry-After").has_value() == (status == 503));
    CHECK(answer.body.starts_with("{\"error\":" + std::to_string(status) + ",\"code\":\"not_provided\",\"reason\":\""));
    CHECK(answer.body.find("\"suggestion\":\"") != std::string::npos);
    CHECK(answer.body.ends_with("\"}"));
}

struct fixture {
    scripted_backend backend;
    sidecar_under_test proxy{backend};
    wire client = proxy.connect();

    wire ask(const std::string& request = get) {
        client.send(request);
        auto up = backend.accept();
        CHECK(up.receive(request.size()) == request);
        return up;
    }
    // A connection to the backend that is kept after one exchange.
    wire kept() {
        auto up = ask();
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
        return up;
    }
};

TEST_CASE_FIXTURE(fixture, "a backend that can't be reached: 503, after having tried for a while") {
    backend.refuse();
    const auto began = std::chrono::steady_clock::now();
    client.send(get);
    check_error(client.receive_answer(), 503);
    CHECK(std::chrono::steady_clock::now() - began >= 250ms); // of the 500 ms that tries may take
    backend.listen_again();
    auto up = ask(); // the client's connection is still good
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("a backend that comes back in time is reached") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connect_retry = patience; });
    auto client = proxy.connect();
    backend.refuse();
    for (const auto& request : {get, post}) {
        client.send(request);
        CHECK(client.stays_silent(50ms));
        backend.listen_again();
        auto up = backend.accept();
        CHECK(up.receive(request.size()) == request);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
        up.close();
        backend.refuse();
    }
}

TEST_CASE("a backend that does not even accept is not waited for longer than connect_retry") {
    scripted_backend backend(0);
    const auto first = wire::connect(backend.port()); // its queue is full now
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.connect_timeout = 100ms;
        c.upstream.connect_retry = 200ms;
    });
    check_error(proxy.ask(get), 503);
}

TEST_CASE("unreachable: close ends the connection without an answer, as no proxy would") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.unreachable = sidecar::on_failure::close;
        c.upstream.connect_retry = 50ms;
    });
    backend.refuse();
    auto client = proxy.connect();
    client.send(get);
    CHECK(client.receive_rest().empty());
}

TEST_CASE_FIXTURE(fixture, "a backend that ends within its head: 502, and the request is not sent again") {
    std::string part;
    SUBCASE("some of the head") { part = "HTTP/1.1 200 O"; }
    SUBCASE("nearly all of the head") { part = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r"; }
    SUBCASE("an interim response") { part = "HTTP/1.1 100 Continue\r\n\r\n"; }
    for (const bool reset : {false, true}) {
        auto other = proxy.connect();
        other.send(get);
        auto up = backend.accept();
        up.receive_head();
        up.send(part);
        if (reset) up.stays_silent(5ms); // a reset may overtake what was sent
        reset ? up.reset() : up.close();
        auto answer = other.receive_answer();
        if (status_of(answer.head) == 100) answer = other.receive_answer();
        check_error(answer, 502);
        CHECK(backend.untouched());
    }
}

TEST_CASE_FIXTURE(fixture, "a backend that ends without one byte of a response: closed likewise, as no proxy would") {
    std::string request = get;
    SUBCASE("GET") {}
    SUBCASE("POST") { request = post; }
    for (const bool reset : {false, true}) {
        auto other = proxy.connect();
        other.send(request);
        auto up = backend.accept();
        up.receive(request.size());
        reset ? up.reset() : up.close();
        CHECK(other.receive_rest().empty());
        CHECK(backend.untouched());
    }
}

TEST_CASE("no_answer: answer gives a 502 in its place") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.no_answer = sidecar::on_failure::answer; });
    auto client = proxy.connect();
    client.send(post);
    auto up = backend.accept();
    up.receive(post.size());
    up.close();
    check_error(client.receive_answer(), 502);
}

TEST_CASE_FIXTURE(fixture, "a kept connection that dies under a request") {
    auto up = kept();
    SUBCASE("GET is sent once more, on a fresh one") {
        client.send(get);
        CHECK(up.receive_head() == get);
        SUBCASE("ended") { up.close(); }
        SUBCASE("reset") { up.reset(); }
        auto fresh = backend.accept();
        CHECK(fresh.receive_head() == get);
        fresh.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }
    SUBCASE("but only once") {
        client.send(get);
        up.receive_head();
        up.close();
        auto fresh = backend.accept();
        fresh.receive_head();
        fresh.close();
        CHECK(client.receive_rest().empty());
        CHECK(backend.untouched());
    }
    SUBCASE("and not when a byte of the answer has come") {
        client.send(get);
        up.receive_head();
        up.send("H");
        up.close();
        check_error(client.receive_answer(), 502);
        CHECK(backend.untouched());
    }
    SUBCASE("HEAD, OPTIONS and DELETE likewise") {
        for (const std::string method : {"HEAD", "OPTIONS", "DELETE"}) {
            const auto request = method + " /x HTTP/1.1\r\nHost: a\r\n\r\n";
            client.send(request);
            CHECK(up.receive_head() == request);
            up.close();
            up = backend.accept();
            CHECK(up.receive_head() == request);
            up.send("HTTP/1.1 204 No Content\r\n\r\n");
            CHECK(status_of(client.receive_head()) == 204);
        }
    }
}

TEST_CASE("what can't be sent twice does not go on a connection that may just be closing") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.reuse_for_writes = 0ms; });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    std::string request;
    SUBCASE("POST") { request = post; }
    SUBCASE("POST without a body") { request = "POST / HTTP/1.1\r\nHost: a\r\n\r\n"; }
    SUBCASE("PUT with a body") { request = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"; }
    SUBCASE("PATCH") { request = "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"; }
    SUBCASE("a method of its own") { request = "FROB / HTTP/1.1\r\nHost: a\r\n\r\n"; }
    client.send(request);
    auto fresh = backend.accept();
    CHECK(fresh.receive(request.size()) == request);
    fresh.close(); // not answered, and not sent again
    CHECK(client.receive_rest().empty());
    CHECK(backend.untouched());
}

TEST_CASE_FIXTURE(fixture, "a kept connection that the backend has closed is not handed out") {
    auto up = kept();
    up.close();
    auto fresh = ask();
    fresh.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("silence of the backend: 504") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.response_timeout = 100ms; });
    auto client = proxy.connect();
    client.send(post);
    auto up = backend.accept();
    up.receive(post.size());
    SUBCASE("from the start") {}
    SUBCASE("within the head") { up.send("HTTP/1.1 200 OK\r\nContent-"); }
    check_error(client.receive_answer(), 504);
    CHECK(up.receive_rest().empty()); // its connection was ended
    CHECK(backend.untouched());
}

TEST_CASE_FIXTURE(fixture, "half an answer ends the client's connection") {
    auto up = ask();
    std::string head;
    SUBCASE("with a length") { head = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"; }
    SUBCASE("in chunks") { head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n"; }
    for (const bool reset : {false, true}) {
        up.send(head + "hello");
        CHECK(client.receive(head.size() + 5) == head + "hello");
        reset ? up.reset() : up.close();
        CHECK(client.receive_rest().empty());
        client = proxy.connect();
        if (!reset) up = ask();
    }
    CHECK(backend.untouched());
}

TEST_CASE_FIXTURE(fixture, "an answer until the end that ends by a reset is reset") {
    auto up = ask();
    up.send("HTTP/1.1 200 OK\r\n\r\nhello");
    client.receive_until("hello");
    up.reset();
    CHECK(client.receive_rest().empty());
    CHECK(client.ended() == ending::reset);
}

TEST_CASE("an answer that goes silent half-way ends the client's connection") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.body_timeout = 100ms; });
    auto client = proxy.connect();
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    SUBCASE("with a length") { up.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello"); }
    SUBCASE("until the end") { up.send("HTTP/1.1 200 OK\r\n\r\nhello"); }
    client.receive_until("hello");
    CHECK(client.receive_rest().empty());
    CHECK(up.receive_rest().empty());
}

TEST_CASE_FIXTURE(fixture, "a client that goes away ends the backend's connection") {
    SUBCASE("before the answer") {
        auto up = ask();
        client.reset();
        CHECK(up.receive_rest().empty());
    }
    SUBCASE("within the answer") {
        auto up = ask();
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
        client.receive_until("hello");
        client.reset();
        CHECK(up.receive_rest().empty());
    }
    SUBCASE("within its body") {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
        auto up = backend.accept();
        up.receive_until("hello");
        client.close();
        CHECK(up.receive_rest().empty());
    }
    SUBCASE("within its chunks") {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel");
        auto up = backend.accept();
        up.receive_until("hel");
        client.reset();
        CHECK(up.receive_rest().empty());
    }
    // What was left half-way is not used again.
    client = proxy.connect();
    auto up = ask();
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("a client that goes away while the backend is being reached is forgotten") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connect_retry = 300ms; });
    backend.refuse();
    auto client = proxy.connect();
    client.send(get);
    CHECK(client.stays_silent(30ms));
    client.reset();
    backend.listen_again();
    auto other = proxy.connect();
    other.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    if (!up.has_bytes()) { // it may have been connected to already
        up.stays_silent(200ms);
        if (!up.has_bytes()) up = backend.accept();
    }
    CHECK(up.receive_head().starts_with("GET /other "));
}

TEST_CASE("exchanges within which the backend stands still are counted, those whose client does are not") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.admin.address = sidecar::endpoint{"127.0.0.1", 0}; });
    const auto stalled = [&proxy] {
        auto admin = wire::connect(proxy.admin_port());
        admin.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        const auto text = admin.receive_answer().body;
        const std::string name = "\nsidecar_upstream_stalled_exchanges ";
        return std::stoi(text.substr(text.find(name) + name.size()));
    };
    auto downloads = proxy.connect(), uploads = proxy.connect(), gives_no_more = proxy.connect();
    downloads.send(get);
    auto stops = backend.accept();
    stops.receive_head();
    stops.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
    gives_no_more.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    auto waits = backend.accept();
    waits.receive_until("hello");
    uploads.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
    auto reads_no_more = backend.accept();
    uploads.send_until_stalled(std::string(20'000'000, 'x'), 20ms);
    const auto until = std::chrono::steady_clock::now() + 4 * patience;
    while (stalled() < 2 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(50ms);
    CHECK(stalled() == 2);
    stops.send("world");
    while (stalled() > 1 && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(50ms);
    CHECK(stalled() == 1);
}

const std::string expecting = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";

TEST_CASE("while a client waits for its 100, it is the backend that is waited for") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.response_timeout = 100ms;
        c.downstream.body_timeout = 10ms;
    });
    auto client = proxy.connect();
    client.send(expecting);
    auto up = backend.accept();
    up.receive_head();
    SUBCASE("nothing comes") {}
    SUBCASE("another interim response comes") {
        up.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        client.receive_head();
    }
    CHECK(status_of(client.receive_answer().head) == 504);
    proxy.await_log(R"("error":"response_timeout")");
}

TEST_CASE("a 100 for a request without a body, and then silence: the backend is waited for, not for ever") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.response_timeout = 100ms; });
    std::string request;
    SUBCASE("GET") { request = "GET / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"; }
    SUBCASE("no length") {
        request = "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n";
    }
    auto client = proxy.connect();
    client.send(request);
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 100 Continue\r\n\r\n");
    client.receive_head();
    CHECK(status_of(client.receive_answer().head) == 504);
}

TEST_CASE("interim responses end the backend's silence, also while a client waits for its 100") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.response_timeout = 2s; });
    auto client = proxy.connect();
    client.send(expecting);
    auto up = backend.accept();
    up.receive_head();
    for (int i = 0; i < 5; ++i) {
        CHECK(client.stays_silent(450ms));
        up.send("HTTP/1.1 103 Early Hints\r\n\r\n");
        CHECK(status_of(client.receive_head()) == 103);
    }
    up.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n");
    CHECK(status_of(client.receive_answer().head) == 401);
}

TEST_CASE("once a client may send, it is the client that is waited for") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.response_timeout = patience;
        c.downstream.body_timeout = 100ms;
    });
    auto client = proxy.connect();
    client.send(expecting);
    auto up = backend.accept();
    up.receive_head();
    SUBCASE("the backend lets it") {
        up.send("HTTP/1.1 100 Continue\r\n\r\n");
        client.receive_head();
    }
    SUBCASE("it does all the same") { client.send("x"); }
    CHECK(status_of(client.receive_answer().head) == 408);
}

TEST_CASE("a client that sends without its 100 is served, and the backend's silence counts from its request's end") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.response_timeout = 300ms;
        c.downstream.body_timeout = patience;
    });
    auto client = proxy.connect();
    client.send(expecting);
    auto up = backend.accept();
    up.receive_head();
    client.send("x");
    CHECK(up.receive(1) == "x");
    CHECK(client.stays_silent(400ms)); // of the client's own making
    client.send("y");
    CHECK(up.receive(1) == "y");
    SUBCASE("it responds") {
        const std::string answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
        up.send(answer);
        CHECK(client.receive(answer.size()) == answer);
    }
    SUBCASE("it does not") { CHECK(status_of(client.receive_answer().head) == 504); }
}

TEST_CASE("on_half_close: abort takes a client's FIN for its end") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.on_half_close = sidecar::half_close::abort; });
    auto client = proxy.connect();
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    client.end_writing();
    CHECK(up.receive_rest().empty());
}

TEST_CASE("on_half_close: abort takes a client's FIN for its end behind an upload, too") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.on_half_close = sidecar::half_close::abort; });
    auto client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    client.send("body");
    SUBCASE("with the body") { client.end_writing(); }
    CHECK(up.receive(4) == "body");
    client.end_writing();
    CHECK(up.receive_rest().empty());
}

TEST_CASE_FIXTURE(fixture, "an answer behind which the backend closes with the request unread still arrives") {
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello");
    auto up = backend.accept();
    CHECK_FALSE(up.stays_silent(patience)); // it is there, and stays unread: a close is a reset
    const std::string answer = "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno";
    up.send(answer);
    up.close();
    const auto got = client.receive_answer();
    CHECK(status_of(got.head) == 401);
    CHECK(got.body == "no");
}

} // namespace failure_test
