// Each limit of the configuration bites, with the right answer, and only where it should (docs/behaviour.md 6, 8).
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <future>

namespace limits_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string chunked_post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

std::string with(const std::string& lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n"; }
std::string fields(int count) {
    std::string lines;
    for (int i = 0; i < count; ++i) lines += "A" + std::to_string(i) + ": b\r\n";
    return lines;
}

// The status of what the client gets at last, and that its connection is closed.
int refused_with(wire& client) {
    const auto answer = client.receive_rest();
    CHECK(answer.find("HTTP/1.", 1) == std::string::npos);
    if (!answer.empty()) CHECK(field_of(answer, "Connection") == "close");
    return status_of(answer);
}

int refused_with(const sidecar_under_test& proxy, const std::string& request) {
    auto client = proxy.connect();
    client.try_send(request);
    return refused_with(client);
}

TEST_CASE("downstream.header_bytes_max: 431") {
    answering_backend backend{ok};
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.header_bytes_max = 1000; });
    const auto of_size = [](std::size_t size) {
        return with("A: " + std::string(size - with("A: \r\n").size(), 'x') + "\r\n");
    };
    CHECK(proxy.ask(of_size(1000)).bytes() == ok);
    CHECK(refused_with(proxy, of_size(1001)) == 431);
    CHECK(refused_with(proxy, "GET / HTTP/1.1\r\nHost: a\r\nA: " + std::string(100'000, 'x')) == 431); // without an end
    CHECK(backend.requests().size() == 1);
}

TEST_CASE("downstream.header_fields_max: 431") {
    answering_backend backend{ok};
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.header_fields_max = 10; });
    CHECK(proxy.ask(with(fields(9))).bytes() == ok);
    CHECK(refused_with(proxy, with(fields(10))) == 431);
}

TEST_CASE("downstream.header_bytes_max counts the blank lines before a request") {
    answering_backend backend{ok};
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.header_bytes_max = 1024; });
    const std::string request = with("");
    const auto blank = [](std::size_t bytes) {
        std::string lines;
        while (lines.size() < bytes) lines += "\r\n";
        return lines;
    };
    const auto room = 1024 - request.size();
    CHECK(proxy.ask(blank(room - room % 2) + request).bytes() == ok);
    CHECK(refused_with(proxy, blank(room + 2) + request) == 431);
}

TEST_CASE("downstream.target_bytes_max: 414") {
    answering_backend backend{ok};
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.target_bytes_max = 100; });
    const auto of_size = [](std::size_t size) {
        return "GET /" + std::string(size - 1, 'x') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    };
    CHECK(proxy.ask(of_size(100)).bytes() == ok);
    CHECK(refused_with(proxy, of_size(101)) == 414);
    CHECK(refused_with(proxy, "GET /" + std::string(100'000, 'x')) == 414); // without an end
    const auto long_method = std::string(60, 'M') + of_size(100).substr(3);
    auto client = proxy.connect(); // it does not matter how it comes
    client.send(long_method.substr(0, long_method.find(" HTTP/1.1") + 9));
    CHECK(client.stays_silent(20ms));
    client.send(long_method.substr(long_method.find(" HTTP/1.1") + 9));
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("downstream.header_timeout: 408") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.header_timeout = 200ms; });
    SUBCASE("half a head") { CHECK(refused_with(proxy, "GET / HTTP/1.1\r\nHost") == 408); }
    SUBCASE("one byte") { CHECK(refused_with(proxy, "G") == 408); }
    SUBCASE("bytes that trickle in don't prolong it") {
        auto client = proxy.connect();
        const auto began = std::chrono::steady_clock::now();
        while (client.try_send("x") && client.stays_silent(10ms))
            REQUIRE(std::chrono::steady_clock::now() - began < patience);
        CHECK(refused_with(client) == 408);
    }
    SUBCASE("half a head behind a whole request") {
        auto client = proxy.connect();
        client.send(get + "GET /2");
        auto up = backend.accept();
        up.receive_head();
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
        CHECK(refused_with(client) == 408);
    }
    CHECK(backend.untouched());
}

TEST_CASE("downstream.idle_timeout closes without a word") {
    answering_backend backend{ok};
    sidecar_under_test proxy(backend,
                             [](config& c) { c.downstream.idle_timeout = c.downstream.header_timeout = 150ms; });
    auto client = proxy.connect();
    SUBCASE("a connection that has never asked") {}
    SUBCASE("a connection between two requests") {
        client.send(get);
        CHECK(client.receive(ok.size()) == ok);
    }
    CHECK(client.receive_rest().empty());
    CHECK(client.ended() == ending::fin);
}

TEST_CASE("downstream.body_timeout ends a request whose body stands still") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.body_timeout = 150ms; });
    auto client = proxy.connect();
    SUBCASE("with a length") { client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello"); }
    SUBCASE("in chunks") { client.send(chunked_post + "a\r\nhello"); }
    auto up = backend.accept();
    up.receive_until("hello");
    CHECK(up.receive_rest().empty());
    const int status = refused_with(client);
    CHECK((status == 408 || status == 0));
}

TEST_CASE("downstream.body_timeout counts from the last byte, not from the first") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.body_timeout = 400ms; });
    auto client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    for (int i = 0; i < 20; ++i) {
        client.send("x");
        CHECK(up.receive(1) == "x");
        CHECK(up.stays_silent(30ms));
    }
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("downstream.write_timeout ends a client that takes nothing") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.write_timeout = 200ms; });
    auto client = proxy.connect(16 << 10);
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    const std::size_t size = 64 << 20;
    up.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    CHECK_FALSE(up.try_send(std::string(size, 'x')));
    CHECK(client.discard_rest() < size);
}

TEST_CASE("upstream.write_timeout ends a request that the backend does not take") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.write_timeout = 200ms; });
    auto client = proxy.connect();
    const std::size_t size = 64 << 20;
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    auto up = backend.accept();
    auto sending = std::async(std::launch::async, [&] { return client.try_send(std::string(size, 'x')); });
    CHECK_FALSE(sending.get());
    const auto answer = client.receive_rest();
    CHECK((answer.empty() || status_of(answer) == 504));
    CHECK(up.discard_rest() < size);
}

TEST_CASE("downstream.chunk_line_bytes_max, both directions") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.chunk_line_bytes_max = 100; });
    const auto line = [](std::size_t size) { return "1;" + std::string(size - 4, 'x') + "\r\n"; };
    auto client = proxy.connect();
    SUBCASE("up, within") {
        client.send(chunked_post + line(100) + "a\r\n0\r\n\r\n");
        CHECK(backend.accept().receive_request().body == line(100) + "a\r\n0\r\n\r\n");
    }
    SUBCASE("up, beyond") {
        client.send(chunked_post + line(101) + "a\r\n0\r\n\r\n");
        const int status = refused_with(client);
        CHECK((status == 400 || status == 413 || status == 431));
    }
    SUBCASE("down, beyond") {
        client.send(get);
        auto up = backend.accept();
        up.receive_head();
        up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + line(101) + "a\r\n0\r\n\r\n");
        CHECK_FALSE(client.receive_502_or_rest().ends_with("\r\n0\r\n\r\n"));
    }
}

TEST_CASE("downstream.trailer_bytes_max, both directions") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.trailer_bytes_max = 100; });
    const auto trailer = [](std::size_t size) { return "0\r\nA: " + std::string(size, 'x') + "\r\n\r\n"; };
    auto client = proxy.connect();
    SUBCASE("up, within") {
        client.send(chunked_post + trailer(80));
        CHECK(backend.accept().receive_request().body == trailer(80));
    }
    SUBCASE("up, beyond") {
        client.send(chunked_post + trailer(200));
        const int status = refused_with(client);
        CHECK((status == 400 || status == 413 || status == 431));
    }
    SUBCASE("down, beyond") {
        client.send(get);
        auto up = backend.accept();
        up.receive_head();
        up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + trailer(200));
        CHECK_FALSE(client.receive_502_or_rest().ends_with("\r\n\r\n0\r\n" + trailer(200)));
    }
}

TEST_CASE("downstream.drain_bytes_max: a larger body of a request answered without it ends the connection") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.downstream.drain_bytes_max = 100;
        c.upstream.connect_retry = 0ms;
    });
    backend.refuse(); // a 503 of our own
    const auto post = [](std::size_t size) {
        return "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n";
    };
    auto client = proxy.connect();
    client.send(post(100));
    CHECK(count_of(client.receive_answer().head, "Connection") == 0);
    client.send(std::string(100, 'x') + post(101));
    CHECK(field_of(client.receive_answer().head, "Connection") == "close");
}

TEST_CASE("downstream.linger_timeout: a client that goes on after its refusal is left in time") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.linger_timeout = 200ms; });
    auto client = proxy.connect();
    client.send("rubbish\r\n\r\n");
    CHECK(status_of(client.receive_rest()) == 400); // FIN
    const auto until = std::chrono::steady_clock::now() + patience;
    while (client.try_send("x")) { // until the reset
        REQUIRE(std::chrono::steady_clock::now() < until);
        std::this_thread::yield();
    }
}

TEST_CASE("downstream.connections_max: 503 with Retry-After") {
    answering_backend backend{ok};
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.connections_max = 2; });
    auto first = proxy.connect(), second = proxy.connect();
    for (auto* client : {&first, &second}) {
        client->send(get);
        CHECK(client->receive(ok.size()) == ok);
    }
    {
        auto third = proxy.connect();
        third.send(get);
        const auto answer = third.receive_rest();
        CHECK(status_of(answer) == 503);
        CHECK(field_of(answer, "Retry-After") == "1");
        CHECK(field_of(answer, "Connection") == "close");
        CHECK(third.ended() == ending::fin);
    }
    first.send(get); // those that are there are served on
    CHECK(first.receive(ok.size()) == ok);
    first.close();
    const auto until = std::chrono::steady_clock::now() + patience;
    while (status_of(proxy.ask(get).head) != 200)
        REQUIRE(std::chrono::steady_clock::now() < until); // and there is a place again
    CHECK(backend.requests().size() == 4);
}

TEST_CASE("upstream.header_bytes_max and header_fields_max: 502") {
    std::string answer;
    const auto of_size = [](std::size_t size) {
        const std::string rest = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: \r\n\r\n";
        return "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nA: " + std::string(size - rest.size(), 'x') + "\r\n\r\n";
    };
    answering_backend backend{[&](std::string_view) { return answer; }};
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.header_bytes_max = 1000;
        c.upstream.header_fields_max = 10;
    });
    const auto status_for = [&](const std::string& text) {
        answer = text;
        return status_of(proxy.ask(get).head);
    };
    CHECK(status_for(of_size(1000)) == 200);
    CHECK(status_for(of_size(1001)) == 502);
    CHECK(status_for(of_size(100'000)) == 502);
    CHECK(status_for("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields(9) + "\r\n") == 200);
    CHECK(status_for("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + fields(10) + "\r\n") == 502);
}

} // namespace limits_test
