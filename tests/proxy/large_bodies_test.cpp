// Large bodies, either way and both at once: the same bytes, the same ends, and the connections in step afterwards.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <fstream>
#include <future>

namespace large_bodies_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::size_t size = 3 << 20;

// No two stretches alike.
std::string payload(std::size_t bytes = size) {
    std::string made(bytes, '\0');
    std::uint32_t state = 1;
    for (auto& c : made) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return made;
}

// Of a connection through the sidecar to a client that reads nothing into a small buffer: what the backend's socket and
// both of the sidecar's may grow to.
std::size_t more_than_sockets_hold() {
    const auto largest = [](const char* setting) {
        std::ifstream file(setting);
        std::size_t least = 0, usual = 0, most = 4 << 20;
        file >> least >> usual >> most;
        return most;
    };
    return largest("/proc/sys/net/ipv4/tcp_rmem") + 2 * largest("/proc/sys/net/ipv4/tcp_wmem") + size;
}

std::string with_length(const std::string& first_line, const std::string& body) {
    return first_line + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string with_chunks(const std::string& first_line, const std::string& body, std::size_t chunk) {
    auto framed = chunked(body, chunk);
    framed.insert(framed.size() - 2, "X-Sum: 1\r\n");
    return first_line + "\r\nTransfer-Encoding: chunked\r\n\r\n" + framed;
}

const std::string post = "POST / HTTP/1.1\r\nHost: a";

struct fixture {
    // Both are large, and neither side reads before the other has written.
    void passes(const std::string& request, const std::string& answer) {
        auto sent = std::async(std::launch::async, [&] { client.send(request); });
        up = backend.accept();
        const bool same_up = up.receive(request.size()) == request;
        CHECK(same_up);
        sent.get();
        auto answered = std::async(std::launch::async, [&] { up.send(answer); });
        const bool same_down = client.receive(answer.size()) == answer;
        CHECK(same_down);
        answered.get();
    }
    void check_next_exchange() {
        client.send(get);
        backend.await_request(up);
        CHECK(up.receive_head() == get);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }

    // A client that has asked for a large answer and reads nothing of it; the backend has sent what goes.
    struct stalled {
        wire client, up;
        std::size_t sent = 0;
    };
    stalled stall() {
        stalled made{proxy.connect(16 << 10), {}};
        made.client.send(get);
        made.up = backend.accept();
        made.up.receive_head();
        // Until not even a slow machine moves more.
        while (const auto more = made.up.send_until_stalled(rest_for(made), 100ms)) made.sent += more;
        CHECK(made.sent < huge_answer.size());
        return made;
    }
    std::string_view rest_for(const stalled& one) const { return std::string_view(huge_answer).substr(one.sent); }
    void finish(stalled& one) const {
        auto sent = std::async(std::launch::async, [&] { one.up.send(rest_for(one)); });
        const bool same = one.client.receive_answer().body == body;
        CHECK(same);
        sent.get();
    }

    const std::string body = payload(more_than_sockets_hold());
    std::string huge_answer = with_length("HTTP/1.1 200 OK", body);
    scripted_backend backend;
    sidecar_under_test proxy{backend};
    wire client = proxy.connect();
    wire up;
};

TEST_CASE_FIXTURE(fixture, "a large body passes byte for byte, and the connections are in step afterwards") {
    const auto large = payload();
    const std::string line = "HTTP/1.1 200 OK";
    SUBCASE("an answer with a length") { passes(get, with_length(line, large)); }
    SUBCASE("an answer in large chunks") { passes(get, with_chunks(line, large, 700'000)); }
    SUBCASE("an answer in small chunks") { passes(get, with_chunks(line, large, 20'000)); }
    SUBCASE("an upload with a length") { passes(with_length(post, large), ok); }
    SUBCASE("an upload in large chunks") { passes(with_chunks(post, large, 700'000), ok); }
    SUBCASE("both") { passes(with_length(post, large), with_length(line, large)); }
    check_next_exchange();
}

TEST_CASE_FIXTURE(fixture, "a large answer until the end passes whole, also to a client of HTTP/1.0") {
    const auto large = payload();
    std::string request = get;
    std::string answer = "HTTP/1.1 200 OK\r\n\r\n" + large;
    SUBCASE("until the end") {}
    SUBCASE("chunks taken off") {
        request = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
        answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(large, 700'000);
    }
    client.send(request);
    up = backend.accept();
    up.receive_head();
    auto answered = std::async(std::launch::async, [&] {
        up.send(answer);
        up.close();
    });
    client.receive_head();
    const bool same = client.receive_rest() == large;
    CHECK(same);
    CHECK(client.ended() == ending::fin);
    answered.get();
}

TEST_CASE_FIXTURE(fixture, "large bodies run both ways at once") {
    const auto large = payload();
    const auto request = with_length(post, large);
    auto sent = std::async(std::launch::async, [&] { client.send(request); });
    up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    auto echoed = std::async(std::launch::async, [&] {
        for (std::size_t at = 0; at < size;) {
            const auto piece = up.receive(std::min<std::size_t>(100'000, size - at));
            up.send(piece);
            at += piece.size();
        }
    });
    sent.get();
    const bool same = client.receive_answer().body == large;
    CHECK(same);
    echoed.get();
}

TEST_CASE_FIXTURE(fixture, "a body that goes wrong behind a large chunk is still found out") {
    client.send(get);
    up = backend.accept();
    up.receive_head();
    auto bytes = with_chunks("HTTP/1.1 200 OK", payload(), 700'000);
    bytes[bytes.find("aae60\r\n", 700'000) - 1] = 'x'; // the second chunk's line does not begin behind CRLF
    auto sent = std::async(std::launch::async, [&] { return up.try_send(bytes); });
    CHECK(client.discard_rest() < bytes.size());
    sent.get();
}

// An urgent byte is not part of the body, and stands in the way of every read.
TEST_CASE_FIXTURE(fixture, "an urgent byte within a body neither stops nor ends it") {
    const auto large = payload();
    const auto half = large.size() / 2;
    const auto send_with_urgent_byte = [&](wire& to, const std::string& head) {
        to.send(head + large.substr(0, half));
        CHECK(::send(to.descriptor(), "!", 1, MSG_OOB) == 1);
        to.send(large.substr(half));
    };
    SUBCASE("an upload") {
        auto sent = std::async(std::launch::async, [&] {
            send_with_urgent_byte(client, post + "\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n");
        });
        up = backend.accept();
        const bool same = up.receive_request().body == large;
        CHECK(same);
        sent.get();
    }
    SUBCASE("an answer until the end") {
        client.send(get);
        up = backend.accept();
        up.receive_head();
        auto sent = std::async(std::launch::async, [&] {
            send_with_urgent_byte(up, "HTTP/1.1 200 OK\r\n\r\n");
            up.close();
        });
        client.receive_head();
        const bool same = client.receive_rest() == large;
        CHECK(same);
        CHECK(client.ended() == ending::fin);
        sent.get();
    }
}

TEST_CASE_FIXTURE(fixture, "an urgent byte within a small body does not stop it") {
    client.send(post + "\r\nContent-Length: 10\r\n\r\n");
    up = backend.accept();
    up.receive_head();
    client.send("abc");
    CHECK(::send(client.descriptor(), "!", 1, MSG_OOB) == 1);
    client.send("defghij");
    CHECK(up.receive(10) == "abcdefghij");
}

TEST_CASE_FIXTURE(fixture, "who leaves within a large body ends that exchange and no other") {
    SUBCASE("the client, within its answer") {
        auto gone = stall();
        gone.client.reset();
        CHECK_FALSE(gone.up.try_send(rest_for(gone)));
    }
    SUBCASE("the backend, within its answer") {
        auto gone = stall();
        gone.up.close();
        CHECK(gone.client.discard_rest() < body.size());
    }
    SUBCASE("the backend, within an upload") {
        const auto request = with_length(post, body);
        auto gone = proxy.connect();
        auto sent = std::async(std::launch::async, [&] { return gone.try_send(request); });
        auto backend_end = backend.accept();
        backend_end.receive(100'000);
        backend_end.reset();
        CHECK_FALSE(sent.get());
    }
    SUBCASE("the client, within an upload") {
        auto gone = proxy.connect();
        gone.send(with_length(post, body).substr(0, 1 << 20));
        auto backend_end = backend.accept();
        gone.reset();
        CHECK(backend_end.discard_rest() < body.size());
    }
    passes(get, with_length("HTTP/1.1 200 OK", payload()));
}

} // namespace large_bodies_test
