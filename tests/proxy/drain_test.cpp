// A drain loses no request and cuts none that ends in time (docs/behaviour.md 8).
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace drain_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string last_ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

TEST_CASE("a drain with nothing under way ends at once") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    proxy.drain();
    proxy.await_end();
}

TEST_CASE("a drain closes idle connections, and waits for the answer of a request that is under way") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto idle = proxy.connect(), busy = proxy.connect();
    auto up = backend.serve_one(idle, get, ok);
    busy.send(get);
    up.receive_head();
    proxy.drain();
    CHECK(idle.receive_rest().empty());
    CHECK_FALSE(proxy.has_ended());
    up.send(ok);
    CHECK(busy.receive_rest() == last_ok);
    proxy.await_end();
}

TEST_CASE("while it goes on accepting, requests are served and asked to close") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.drain.accept_for = patience; });
    auto kept = proxy.connect();
    auto up = backend.serve_one(kept, get, ok);
    proxy.drain();
    // The order to drain is on its way; until it is there, requests are served as before.
    std::string answer;
    const auto until = std::chrono::steady_clock::now() + patience;
    while (answer != last_ok) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        auto client = proxy.connect();
        client.send(get);
        backend.await_request(up);
        up.receive_head();
        up.send(ok);
        answer = client.receive(ok.size());
        if (answer != ok) answer += client.receive_rest();
    }
    kept.send(get);
    backend.await_request(up);
    up.receive_head();
    up.send(ok);
    CHECK(kept.receive_rest() == last_ok);
    CHECK_FALSE(proxy.has_ended());
}

TEST_CASE("who was told that the connection stays may use it once more, though its answer ended late in the drain") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto idle = proxy.connect(), client = proxy.connect();
    auto up = backend.serve_one(idle, get, ok);
    client.send(get);
    up.receive_head();
    up.send(ok.substr(0, ok.size() - 1));
    CHECK(client.receive(ok.size() - 1) == ok.substr(0, ok.size() - 1));
    proxy.drain();
    CHECK(idle.receive_rest().empty()); // accepting has ended
    up.send("k");
    CHECK(client.receive(1) == "k");
    client.send(get);
    backend.await_request(up);
    up.receive_head();
    up.send(ok);
    CHECK(client.receive_rest() == last_ok);
    proxy.await_end();
}

TEST_CASE("who has just connected when accepting ends is served") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto idle = proxy.connect();
    auto up = backend.serve_one(idle, get, ok);
    auto fresh = proxy.connect();
    proxy.drain();
    CHECK(idle.receive_rest().empty());
    fresh.send(get);
    backend.await_request(up);
    up.receive_head();
    up.send(ok);
    CHECK(fresh.receive_rest() == last_ok);
    proxy.await_end();
}

TEST_CASE("a request that takes longer than drain.timeout is cut") {
    scripted_backend backend;
    auto proxy = std::make_unique<sidecar_under_test>(backend, [](config& c) { c.drain.timeout = 200ms; });
    auto busy = proxy->connect();
    busy.send(get);
    auto up = backend.accept();
    up.receive_head();
    proxy->drain();
    proxy->await_end();
    proxy.reset(); // the process ends
    CHECK(busy.receive_rest().empty());
}

TEST_CASE("what is cut at the end of a drain does not look whole, and is logged") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.drain.timeout = 100ms; });
    auto client = proxy.connect();
    std::string answer = "HTTP/1.1 200 OK\r\n\r\nhello";
    SUBCASE("a response until close") { client.send(get); }
    SUBCASE("one dechunked for HTTP/1.0") {
        client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    }
    SUBCASE("while an upload waits") { client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1"); }
    auto up = backend.accept();
    up.receive_head();
    up.send(answer);
    client.receive_until("hello");
    proxy.drain();
    client.discard_rest();
    CHECK(client.ended() == ending::reset);
    CHECK(proxy.await_log(R"("error":"drain_timeout")").find(R"("bytes_out")") != std::string::npos);
    proxy.await_end();
}

TEST_CASE("an upload whose response is there already is cut at the end of a drain, and logged") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.drain.timeout = 100ms; });
    auto client = proxy.connect();
    client.send("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1");
    auto up = backend.accept();
    up.receive_head();
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
    proxy.drain();
    client.discard_rest();
    CHECK(client.ended() == ending::reset);
    CHECK(proxy.await_log(R"("error":"drain_timeout")").find(R"("status":200)") != std::string::npos);
    proxy.await_end();
}

TEST_CASE("a head, a tunnel and a wait for the backend are cut, too") {
    const closed_port nobody;
    scripted_backend backend;
    bool is_there = true;
    std::string request = get;
    SUBCASE("a head that has begun") { request = "GET / HTTP/1.1\r\nHo"; }
    SUBCASE("a tunnel") { request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"; }
    SUBCASE("a backend that is not there") { is_there = false; }
    sidecar_under_test proxy(is_there ? backend.port() : nobody.port(), [](config& c) {
        c.drain.timeout = 100ms;
        c.upstream.connect_retry = patience;
    });
    auto client = proxy.connect();
    client.send(request);
    wire up;
    if (request.ends_with("websocket\r\n\r\n")) {
        up = backend.accept();
        up.receive_head();
        up.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
        client.receive_head();
    }
    proxy.drain();
    proxy.await_end();
    client.discard_rest();
    CHECK((client.ended() == ending::reset || !request.ends_with("\r\n\r\n"))); // there, nothing was asked for
}

TEST_CASE("a tunnel is cut also where nothing moves, or only one way, and is logged") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.drain.timeout = 100ms; });
    auto client = proxy.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    client.receive_head();
    SUBCASE("at rest") {}
    SUBCASE("whose client has ended its side") { client.end_writing(); }
    SUBCASE("whose backend reads no more") { client.send_until_stalled(std::string(50'000'000, 'x'), 20ms); }
    proxy.drain();
    const auto log = proxy.await_log(R"("error":"drain_timeout")");
    CHECK(log.find(R"("status":101)") != std::string::npos);
    proxy.await_end();
    client.discard_rest();
    CHECK(client.ended() == ending::reset);
}

TEST_CASE("a long upload that began before the drain is not cut") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    proxy.drain();
    for (int i = 0; i < 10; ++i) {
        client.send("x");
        CHECK(up.receive(1) == "x");
        CHECK(up.stays_silent(10ms));
    }
    up.send(ok);
    CHECK(client.receive_rest() == last_ok);
    proxy.await_end();
}

TEST_CASE("stop ends all at once") {
    scripted_backend backend;
    auto proxy = std::make_unique<sidecar_under_test>(backend);
    auto client = proxy->connect();
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    proxy.reset();
    client.receive_rest();
    up.receive_rest();
}

} // namespace drain_test
