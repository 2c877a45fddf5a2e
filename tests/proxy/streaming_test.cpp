// Bytes go on as they come, in both directions at once, and no faster than the other side takes them
// (docs/behaviour.md 2.3, 2.4).
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <future>

namespace streaming_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct fixture {
    scripted_backend backend;
    sidecar_under_test proxy{backend};
    wire client = proxy.connect();
    wire up;

    void check_up(const std::string& bytes) {
        client.send(bytes);
        CHECK(up.receive(bytes.size()) == bytes);
    }
    void check_down(const std::string& bytes) {
        up.send(bytes);
        CHECK(client.receive(bytes.size()) == bytes);
    }
    void ask(const std::string& request = get) {
        client.send(request);
        up = backend.accept();
        CHECK(up.receive(request.size()) == request);
    }
};

std::size_t resident_bytes() {
    std::ifstream file("/proc/self/statm");
    std::size_t pages = 0;
    file >> pages >> pages;
    return pages * 4096;
}

constexpr std::size_t large = std::size_t{sanitized ? 64 : 256} << 20;

TEST_CASE_FIXTURE(fixture, "an answer's first byte arrives before its last is sent") {
    ask();
    SUBCASE("with a length") {
        check_down("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
        for (const char* const byte : {"0", "1", "234", "567", "89"}) check_down(byte);
    }
    SUBCASE("in chunks, also in the middle of one") {
        check_down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (const char* const piece : {"5\r\nhello\r\n", "6\r\n wo", "rld\r\n", "0\r\n", "A: b\r\n\r\n"})
            check_down(piece);
    }
    SUBCASE("until the end") {
        up.send("HTTP/1.1 200 OK\r\n\r\n");
        client.receive_head();
        for (const char* const piece : {"a", "b", "c"}) check_down(piece);
    }
}

TEST_CASE_FIXTURE(fixture, "server-sent events arrive one by one") {
    ask();
    check_down("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 50; ++i) check_down("b\r\ndata: tick\n\r\n");
}

TEST_CASE_FIXTURE(fixture, "a request's first byte arrives before its last is sent") {
    SUBCASE("with a length") {
        ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n");
        for (const char* const byte : {"0", "1", "234", "567", "89"}) check_up(byte);
    }
    SUBCASE("in chunks") {
        ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        for (const char* const piece : {"5\r\nhello\r\n", "6\r\n wo", "rld\r\n", "0\r\nA: b\r\n\r\n"}) check_up(piece);
    }
    check_down(ok);
}

TEST_CASE_FIXTURE(fixture, "both bodies run at once") {
    ask("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    check_down("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 20; ++i) {
        check_up("4\r\nping\r\n");
        check_down("4\r\npong\r\n");
    }
    check_up("0\r\n\r\n");
    check_down("0\r\n\r\n");
    check_up(get); // and the connections are in step
    check_down(ok);
}

TEST_CASE_FIXTURE(fixture, "an early answer is delivered while the upload is under way") {
    ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
    check_up(std::string(1000, 'x'));
    const std::string refusal = "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n";
    SUBCASE("and the backend stays") {
        up.send(refusal + "\r\nno");
        const auto answer = client.receive_answer();
        CHECK(status_of(answer.head) == 413);
        CHECK(answer.body == "no");
    }
    SUBCASE("and the backend closes") {
        up.send(refusal + "Connection: close\r\n\r\nno");
        up.close();
        const auto answer = client.receive_answer();
        CHECK(status_of(answer.head) == 413);
        CHECK(answer.body == "no");
    }
    SUBCASE("and the backend closes without having read it all") {
        client.send(std::string(100'000, 'x'));
        up.send(refusal + "Connection: close\r\n\r\nno");
        up.close(); // a reset, for there are bytes unread
        const auto answer = client.receive_answer();
        CHECK(status_of(answer.head) == 413);
        CHECK(answer.body == "no");
    }
}

TEST_CASE_FIXTURE(fixture, "a client that goes on uploading after an early answer still gets it") {
    ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n");
    up.send("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno");
    up.close();
    // As curl does: it writes until it can't, and then reads.
    client.send_until_stalled(std::string(300'000, 'x'), 100ms);
    const auto answer = client.receive_answer();
    CHECK(status_of(answer.head) == 403);
    CHECK(answer.body == "no");
}

TEST_CASE_FIXTURE(fixture, "Expect: 100-continue is the backend's to answer") {
    ask("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    SUBCASE("with a 100") {
        CHECK(client.stays_silent(50ms)); // none of our own
        check_down("HTTP/1.1 100 Continue\r\n\r\n");
        check_up("hello");
        check_down(ok);
        check_up(get);
        check_down(ok);
    }
    SUBCASE("with a refusal: the body need not come") {
        up.send("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n");
        CHECK(status_of(client.receive_head()) == 417);
    }
    SUBCASE("with the answer at once") {
        up.send(ok);
        CHECK(status_of(client.receive_head()) == 200);
        CHECK(client.receive(2) == "ok");
    }
    SUBCASE("or the client does not wait") {
        check_up("hello");
        check_down(ok);
    }
}

TEST_CASE("an answer that the client does not take stops the backend, and memory stays as it is") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect(64 << 10);
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
    const std::string body(large, 'x');
    const auto before = resident_bytes();
    const auto taken = up.send_until_stalled(body, 300ms);
    CHECK(taken < large / 2); // what the kernel's buffers hold
    if (!sanitized) CHECK(resident_bytes() < before + (8 << 20));
    auto rest = std::async(std::launch::async, [&] { return up.try_send(std::string_view(body).substr(taken)); });
    client.receive_head();
    std::size_t received = 0;
    while (received < large) received += client.receive(std::min(large - received, std::size_t{1} << 20)).size();
    CHECK(rest.get());
    if (!sanitized) CHECK(resident_bytes() < before + (16 << 20));
    client.send(get);
    backend.await_request(up);
    up.receive_head();
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("an upload that the backend does not take stops the client, and memory stays as it is") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    const std::string body = chunked(std::string(large, 'x'), 1 << 20);
    const auto before = resident_bytes();
    const auto taken = client.send_until_stalled(body, 300ms);
    CHECK(taken < large / 2);
    if (!sanitized) CHECK(resident_bytes() < before + (8 << 20));
    auto rest = std::async(std::launch::async, [&] { return client.try_send(std::string_view(body).substr(taken)); });
    std::size_t received = 0;
    while (received < body.size())
        received += up.receive(std::min(body.size() - received, std::size_t{1} << 20)).size();
    CHECK(rest.get());
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE("a client that reads slowly holds up nobody else") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto slow = proxy.connect(16 << 10);
    slow.send(get);
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(large) + "\r\n\r\n");
    up.send_until_stalled(std::string(large, 'x'), 100ms);
    for (int i = 0; i < 20; ++i) {
        auto quick = proxy.connect();
        quick.send(get);
        auto other = backend.accept();
        other.receive_head();
        other.send(ok);
        CHECK(quick.receive(ok.size()) == ok);
        other.close();
    }
}

} // namespace streaming_test
