// A POST goes on a kept connection that was used within upstream.reuse_for_writes and is quiet (docs/behaviour.md 2.7).
// Since it is never sent twice, none may be lost that would not have been lost without a proxy.
#include "tests/harness/http_text.hpp"
#include "tests/harness/program.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

namespace write_reuse_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

TEST_CASE("a POST goes on a connection that was used just now") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    std::string first = get, second = post;
    SUBCASE("behind a GET") {}
    SUBCASE("behind a POST") { first = post; }
    SUBCASE("with chunks") {
        second = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    }
    SUBCASE("a PUT") { second = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"; }
    auto up = backend.serve_one(client, first, ok);
    client.send(second);
    CHECK(up.receive_request().bytes() == second);
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
    CHECK(backend.untouched());
}

TEST_CASE("a POST goes on no connection that has rested longer than reuse_for_writes, a GET does") {
    scripted_backend backend;
    bool never = false;
    SUBCASE("a time") {}
    SUBCASE("never") { never = true; }
    sidecar_under_test proxy(backend, [&](config& c) { c.upstream.reuse_for_writes = never ? 0ms : 50ms; });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    if (!never) CHECK(client.stays_silent(150ms)); // it rests: that is what is tested
    client.send(post);
    auto fresh = backend.accept();
    CHECK(fresh.receive_request().bytes() == post);
    fresh.send(ok);
    CHECK(client.receive(ok.size()) == ok);
    client.send(get);
    CHECK(fresh.receive_head() == get); // the one last used
    CHECK(backend.untouched());
}

TEST_CASE("Content-Length: 0 on a GET makes it no write") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.reuse_for_writes = 0ms; });
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    const std::string empty = "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    client.send(empty);
    CHECK(up.receive_request().bytes() == empty);
    CHECK(backend.untouched());
}

TEST_CASE("a POST whose kept connection has ended, or holds a byte, goes on a fresh one") {
    scripted_backend backend;
    closed_port no_status;
    program sidecar("upstream: {address: 127.0.0.1:" + std::to_string(backend.port()) +
                    "}\nworkers: 1\nadmin: {address: off}\nstatus: {url: http://127.0.0.1:" +
                    std::to_string(no_status.port()) + "/}\n");
    auto client = sidecar.connect();
    auto up = backend.serve_one(client, get, ok);
    // It learns of both at once, in either order.
    sidecar.halt();
    bool post_first = false;
    SUBCASE("FIN") { up.end_writing(); }
    SUBCASE("FIN, the POST first") { post_first = true; }
    SUBCASE("RST") { up.reset(); }
    SUBCASE("a byte") { up.send("x"); }
    SUBCASE("a 408") { up.send("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n"); }
    client.send(post);
    if (post_first) up.end_writing();
    sidecar.go_on();
    auto fresh = backend.accept();
    CHECK(fresh.receive_request().bytes() == post);
    fresh.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

// The one case that no proxy can tell from an act that was done: it is not sent again, and ends as without a proxy.
TEST_CASE("a POST whose kept connection ends when it is under way is not sent twice, and is not answered") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    auto up = backend.serve_one(client, get, ok);
    client.send(post);
    CHECK(up.receive_request().bytes() == post);
    SUBCASE("FIN") { up.close(); }
    SUBCASE("RST") { up.reset(); }
    CHECK(client.receive_rest().empty()); // closed, and not one byte: the client may try again
    CHECK(backend.untouched());
}

// Closes each connection at some moment around the arrival of a request, without reading it: what a server does whose
// keep-alive time is over. It counts what it has read, and answers that.
class impatient_backend {
public:
    impatient_backend() : thread_([this] { serve(); }) {}
    ~impatient_backend() {
        ending_ = true;
        thread_.join();
    }
    impatient_backend(const impatient_backend&) = delete;
    impatient_backend& operator=(const impatient_backend&) = delete;
    std::uint16_t port() const { return listener_.port(); }
    int times_seen(const std::string& number) const {
        const std::lock_guard lock(mutex_);
        const auto found = seen_.find(number);
        return found == seen_.end() ? 0 : found->second;
    }

private:
    struct kept {
        wire link;
        std::string in;
        std::chrono::steady_clock::time_point closes_at;
        bool ended = false;
    };

    void serve() {
        std::vector<kept> all;
        unsigned dice = 1;
        while (!ending_) {
            if (listener_.has_connection()) all.push_back({listener_.accept(), {}, never(), false});
            const auto now = std::chrono::steady_clock::now();
            for (auto& each : all) {
                if (each.closes_at <= now) each.ended = true; // with a request unread, perhaps: then it is a reset
                if (each.ended || !each.link.has_bytes()) continue;
                std::array<char, 4096> block;
                const auto n = ::recv(each.link.descriptor(), block.data(), block.size(), MSG_DONTWAIT);
                if (n <= 0) {
                    each.ended = true;
                    continue;
                }
                each.in.append(block.data(), static_cast<std::size_t>(n));
                while (const auto size = request_size(each.in)) {
                    const std::lock_guard lock(mutex_);
                    ++seen_[field_of(each.in, "X-Number").value_or("")];
                    each.in.erase(0, *size);
                    each.link.try_send(ok);
                    dice = dice * 1664525 + 1013904223;
                    each.closes_at = now + std::chrono::microseconds((dice >> 16) % 400);
                }
            }
            std::erase_if(all, [](const kept& each) { return each.ended; });
        }
    }
    static std::chrono::steady_clock::time_point never() { return std::chrono::steady_clock::time_point::max(); }

    listener listener_;
    mutable std::mutex mutex_;
    std::map<std::string, int> seen_;
    std::atomic<bool> ending_{false};
    std::thread thread_;
};

TEST_CASE(
    "with a backend that closes at the worst moments no POST is doubled, and none is said to be done that is not") {
    impatient_backend backend;
    sidecar_under_test proxy(backend);
    int answered = 0, closed = 0;
    auto client = proxy.connect();
    for (int i = 0; i < (sanitized ? 300 : 1'500); ++i) {
        const auto number = std::to_string(i);
        client.send("POST / HTTP/1.1\r\nHost: a\r\nX-Number: " + number + "\r\nContent-Length: 2\r\n\r\nhi");
        const bool came = !client.stays_silent(patience);
        REQUIRE(came);
        if (client.has_bytes()) {
            CHECK(client.receive_answer().bytes() == ok); // never a 502: the client could not try again
            CHECK(backend.times_seen(number) == 1);
            ++answered;
        } else {
            CHECK(client.receive_rest().empty());
            CHECK(backend.times_seen(number) <= 1);
            client = proxy.connect();
            ++closed;
        }
    }
    CHECK(answered > closed);
    MESSAGE(answered << " answered, " << closed << " closed without an answer");
}

} // namespace write_reuse_test
