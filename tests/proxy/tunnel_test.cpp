// WebSocket through the sidecar; other upgrades are hop-by-hop, and CONNECT is refused (docs/behaviour.md 2.5).
#include "tests/harness/http_text.hpp"
#include "tests/harness/process.hpp"
#include "tests/harness/program.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <future>

namespace tunnel_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string handshake = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string handshake_forwarded = "GET /chat HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                                        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
                                        "Connection: Upgrade\r\n\r\n";
const std::string switching = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
const std::string switching_forwarded =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nConnection: Upgrade\r\n\r\n";
const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct fixture {
    explicit fixture(milliseconds tunnel_timeout = 10 * patience)
        : proxy(backend, [&](config& c) { c.downstream.tunnel_timeout = tunnel_timeout; }) {}

    scripted_backend backend;
    sidecar_under_test proxy;
    wire client = proxy.connect();
    wire up;

    void open(const std::string& early_up = "", const std::string& early_down = "") {
        client.send(handshake + early_up);
        up = backend.accept();
        CHECK(up.receive(handshake_forwarded.size()) == handshake_forwarded);
        up.send(switching + early_down);
        CHECK(client.receive(switching_forwarded.size()) == switching_forwarded);
        CHECK(up.receive(early_up.size()) == early_up);
        CHECK(client.receive(early_down.size()) == early_down);
    }
};

TEST_CASE_FIXTURE(fixture, "a WebSocket tunnel carries bytes both ways") {
    open();
    for (int i = 0; i < 10; ++i) {
        const std::string bytes("\x81\x00\r\n\r\nGET / HTTP/1.1\r\n\xff", 23);
        client.send(bytes);
        CHECK(up.receive(bytes.size()) == bytes);
        up.send(bytes);
        CHECK(client.receive(bytes.size()) == bytes);
    }
}

TEST_CASE_FIXTURE(fixture, "bytes that come with the handshake are the tunnel's") { open("early up", "early down"); }

TEST_CASE_FIXTURE(fixture, "a large transfer both ways at once") {
    open();
    const std::string bytes(20 << 20, 'x');
    auto sent_up = std::async(std::launch::async, [&] { return client.try_send(bytes); });
    // One thread a wire: the backend's end sends once it has received.
    CHECK(up.receive(bytes.size()) == bytes);
    CHECK(sent_up.get());
    auto sent_down = std::async(std::launch::async, [&] { return up.try_send(bytes); });
    CHECK(client.receive(bytes.size()) == bytes);
    CHECK(sent_down.get());
}

TEST_CASE_FIXTURE(fixture, "one side's end is the other's, and the way back stays open") {
    open();
    SUBCASE("the client's") {
        client.send("bye");
        client.end_writing();
        CHECK(up.receive_rest() == "bye");
        up.send("bye bye");
        up.close();
        CHECK(client.receive_rest() == "bye bye");
    }
    SUBCASE("the backend's") {
        up.send("bye");
        up.end_writing();
        CHECK(client.receive_rest() == "bye");
        client.send("bye bye");
        client.close();
        CHECK(up.receive_rest() == "bye bye");
    }
}

TEST_CASE_FIXTURE(fixture, "one side's reset is the other's: what was cut does not look whole") {
    open();
    SUBCASE("the client's") {
        client.reset();
        up.receive_rest();
        CHECK(up.ended() == ending::reset);
    }
    SUBCASE("the backend's") {
        up.reset();
        client.receive_rest();
        CHECK(client.ended() == ending::reset);
    }
}

TEST_CASE_FIXTURE(fixture, "a reset is passed on at once, also where what came before it can't be") {
    open();
    wire* resets = &client;
    wire* takes_nothing = &up;
    SUBCASE("the client's") {}
    SUBCASE("the backend's") { std::swap(resets, takes_nothing); }
    resets->send_until_stalled(std::string(50'000'000, 'x'), 20ms);
    resets->reset();
    proxy.await_log(R"("status":101)"); // it is over
    takes_nothing->discard_rest();
    CHECK(takes_nothing->ended() == ending::reset);
}

// The sidecar stands still until it is all there.
TEST_CASE("what the backend has said before it reset the tunnel still arrives") {
    scripted_backend backend;
    closed_port no_status;
    program sidecar(in_front_of(backend.port(), no_status.port()));
    auto client = sidecar.connect();
    client.send(handshake);
    auto up = backend.accept();
    up.receive_head();
    up.send(switching);
    client.receive_head();
    client.send("never read");
    CHECK_FALSE(up.stays_silent(patience)); // it is there, and stays unread: a close is a reset
    sidecar.halt();
    SUBCASE("while the client is silent") {}
    SUBCASE("while the client sends") { client.send("nor this"); }
    up.send("bye");
    up.close();
    sidecar.go_on();
    CHECK(client.receive(3) == "bye");
    CHECK(client.receive_rest().empty());
    CHECK(client.ended() == ending::reset);
}

// Of a Unix socket the sidecar learns at once that its peer has closed, whatever is still to be read.
TEST_CASE("what a client on a Unix socket has said before it closed still goes on") {
    const folder here;
    const auto path = (here.path / "socket").string();
    scripted_backend backend;
    const sidecar_under_test proxy(backend, [&](config& c) { c.listen.address = {"", 0, path}; });
    auto client = wire::connect(path);
    client.send(handshake);
    auto up = backend.accept();
    up.receive_head();
    up.send(switching);
    client.receive_head();
    const auto sent = client.send_until_stalled(std::string(50'000'000, 'x'), 20ms);
    client.close();
    CHECK(up.discard_rest() == sent);
    CHECK(up.ended() == ending::fin);
}

TEST_CASE("a tunnel in which nothing moves is closed after tunnel_timeout") {
    fixture quiet(200ms);
    quiet.open();
    CHECK(quiet.client.receive_rest().empty());
    CHECK(quiet.up.receive_rest().empty());
}

TEST_CASE_FIXTURE(fixture, "a handshake that the backend declines is an answer like any other") {
    client.send(handshake);
    up = backend.accept();
    up.receive_head();
    SUBCASE("with 403") {
        const std::string answer = "HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno";
        up.send(answer);
        CHECK(client.receive(answer.size()) == answer);
        client.send(get);
        backend.await_request(up);
        CHECK(up.receive_head() == get);
    }
    SUBCASE("with 426, its Upgrade left out") {
        up.send("HTTP/1.1 426 Upgrade Required\r\nUpgrade: h2c\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n");
        CHECK(client.receive_head() == "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
    }
}

TEST_CASE_FIXTURE(fixture, "interim answers before the 101 go on") {
    client.send(handshake);
    up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 103 Early Hints\r\n\r\n" + switching);
    CHECK(client.receive_head() == "HTTP/1.1 103 Early Hints\r\n\r\n");
    CHECK(client.receive(switching_forwarded.size()) == switching_forwarded);
    up.send("x");
    CHECK(client.receive(1) == "x");
}

TEST_CASE_FIXTURE(fixture, "other spellings of the handshake") {
    const auto asks_for_tunnel = [&](const std::string& lines) {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n");
        up = backend.accept();
        return field_of(up.receive_head(), "Upgrade");
    };
    SUBCASE("a list and another case") {
        CHECK(asks_for_tunnel("connection: keep-alive, UPGRADE\r\nUPGRADE: WebSocket\r\n") == "WebSocket");
    }
    SUBCASE("h2c is dropped") { CHECK(!asks_for_tunnel("Connection: Upgrade\r\nUpgrade: h2c\r\n")); }
    SUBCASE("Upgrade that Connection does not name is dropped") { CHECK(!asks_for_tunnel("Upgrade: websocket\r\n")); }
}

TEST_CASE_FIXTURE(fixture, "a 101 that nobody asked for is a 502") {
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
    CHECK(status_of(client.receive_head()) == 502);
}

TEST_CASE_FIXTURE(fixture, "CONNECT is refused") {
    client.send("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n");
    CHECK(status_of(client.receive_rest()) == 400);
    CHECK(backend.untouched());
}

} // namespace tunnel_test
