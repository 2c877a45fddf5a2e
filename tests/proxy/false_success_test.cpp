// A response that was cut short never looks whole (docs/behaviour.md 2.8), however its end is found out.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace false_success_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string until_close = "HTTP/1.1 200 OK\r\n\r\nhello";

// The write of the upload takes the error off the socket, and the read behind it sees an end like any other.
TEST_CASE("a response until the end is cut short by a reset, also when the upload is first to see it") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    for (int i = 0; i < 10; ++i) {
        auto client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        auto up = backend.accept();
        up.send(until_close);
        client.receive_until("hello");
        client.send_until_stalled(std::string(20'000'000, 'x'), 20ms); // the sidecar waits to write
        up.reset();
        client.discard_rest();
        CHECK(client.ended() == ending::reset);
    }
}

TEST_CASE("a response until the end is cut short by a reset while an upload trickles") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    for (int i = 0; i < 30; ++i) {
        auto client = proxy.connect();
        client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n");
        auto up = backend.accept();
        up.receive_head();
        up.send(until_close);
        client.receive_until("hello");
        // All before it: a send behind it would take the error off the client's socket, too.
        for (int j = 0; j < 3; ++j) client.try_send("x");
        up.reset();
        client.discard_rest();
        CHECK(client.ended() == ending::reset);
    }
}

TEST_CASE("a response until the end that ended in order is whole, though the upload goes on") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
    auto up = backend.accept();
    up.receive_until("12345");
    up.send(until_close);
    up.end_writing();
    CHECK(client.receive_rest().ends_with("\r\n\r\nhello"));
    CHECK(client.ended() == ending::fin);
}

} // namespace false_success_test
