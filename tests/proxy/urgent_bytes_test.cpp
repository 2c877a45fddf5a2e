// An urgent byte (MSG_OOB) wakes whoever waits and brings nothing: it prolongs no time limit and costs no memory.
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <malloc.h>
#include <sys/socket.h>

#include <vector>

namespace urgent_bytes_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

bool send_urgent_byte(const wire& to) {
    return ::send(to.descriptor(), "!", 1, MSG_OOB | MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

// One that comes before the last has been read past makes that a byte like any other: not too many at once, and where
// they would count, a body long enough.
// Sends urgent bytes until the other side ends the connection; false: it does not.
bool ends_in_spite_of_urgent_bytes(wire& from) {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        send_urgent_byte(from);
        if (!from.stays_silent(5ms)) return true;
    }
    return false;
}

// What this process holds of the heap. A sanitizer's allocator does not say.
std::size_t heap_in_use() { return sanitized ? 0 : ::mallinfo2().uordblks; }

TEST_CASE("urgent bytes prolong no time limit of a client") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        auto& limits = c.downstream;
        limits.idle_timeout = limits.header_timeout = limits.body_timeout = 150ms;
    });
    auto client = proxy.connect();
    SUBCASE("before its first request") { CHECK(ends_in_spite_of_urgent_bytes(client)); }
    SUBCASE("between two requests") {
        auto up = backend.serve_one(client, get, ok);
        CHECK(ends_in_spite_of_urgent_bytes(client));
        const auto last = client.receive_rest();
        CHECK((last.empty() || last.starts_with("HTTP/1.1 408 ")));
    }
    SUBCASE("within a head") {
        client.send("GET / HTT");
        CHECK(ends_in_spite_of_urgent_bytes(client));
        CHECK(client.receive_rest().starts_with("HTTP/1.1 408 "));
    }
    SUBCASE("within a body") {
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000\r\n\r\nhello");
        auto up = backend.accept();
        up.receive_until("hello");
        CHECK(ends_in_spite_of_urgent_bytes(client));
        up.discard_rest();
    }
}

TEST_CASE("urgent bytes prolong no time limit of a backend") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.response_timeout = c.upstream.body_timeout = c.upstream.idle_timeout = 150ms;
    });
    auto client = proxy.connect();
    SUBCASE("before its response") {
        client.send(get);
        auto up = backend.accept();
        up.receive_head();
        CHECK(ends_in_spite_of_urgent_bytes(up));
        const auto refusal = client.receive_head();
        CHECK((refusal.starts_with("HTTP/1.1 504 ") || refusal.starts_with("HTTP/1.1 502 ")));
    }
    SUBCASE("within its response") {
        client.send(get);
        auto up = backend.accept();
        up.receive_head();
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\nhello");
        CHECK(ends_in_spite_of_urgent_bytes(up));
        CHECK(client.discard_rest() < 10'000);
    }
    SUBCASE("on a kept connection") {
        auto up = backend.serve_one(client, get, ok);
        CHECK(ends_in_spite_of_urgent_bytes(up));
    }
}

TEST_CASE("urgent bytes cost no memory") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    constexpr int connections = 40, rounds = 500;
    std::vector<wire> clients;
    for (int i = 0; i < connections; ++i) clients.push_back(proxy.connect());
    auto up = backend.serve_one(clients.back(), get, ok);
    const auto before = heap_in_use();
    for (int i = 0; i < rounds; ++i) {
        for (const auto& each : clients) send_urgent_byte(each);
        CHECK(clients.back().stays_silent(1ms)); // so that most come alone
    }
    auto other = proxy.connect(); // by then all have been seen
    other.send(get);
    backend.await_request(up);
    CHECK(heap_in_use() < before + 2 * sidecar::mib); // 20 000 bytes: a frame for each took 4 MiB and more
    up.send(ok);
    CHECK(other.receive(ok.size()) == ok);
}

} // namespace urgent_bytes_test
