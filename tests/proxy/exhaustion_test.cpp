// The process is out of memory or of descriptors: connections may end or wait, and it serves on.
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/program.hpp"
#include "tests/harness/scripted_backend.hpp"

#include <doctest/doctest.h>

#include <signal.h>

#include <atomic>
#include <thread>
#include <vector>

namespace exhaustion_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string in_front_of(std::uint16_t backend, std::uint16_t no_status) {
    return "upstream: {address: 127.0.0.1:" + std::to_string(backend) + ", connect_retry: 100ms}\nworkers: 1\n" +
           "admin: {address: off}\nstatus: {url: http://127.0.0.1:" + std::to_string(no_status) + "/}\n";
}

struct fixture {
    scripted_backend backend{512};
    closed_port no_status;
    program sidecar{in_front_of(backend.port(), no_status.port())};

    // Some connections of before may still hold what this one needs.
    bool serves() {
        const auto until = std::chrono::steady_clock::now() + 4 * patience; // of two hundred backend connections, each
        while (sidecar.is_alive() && std::chrono::steady_clock::now() < until)
            if (serves_now()) return true;
        return false;
    }
    bool serves_now() {
        try {
            auto client = sidecar.connect();
            client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
            const auto until = std::chrono::steady_clock::now() + 500ms;
            while (client.stays_silent(5ms) && std::chrono::steady_clock::now() < until) {
                if (backend.untouched()) continue;
                auto up = backend.accept();
                if (!up.stays_silent(100ms)) up.try_send(ok);
                up.end_writing();
                up.discard_rest();
            }
            return client.has_something() && client.receive_rest().ends_with("ok");
        } catch (const std::exception&) {
            return false;
        }
    }
};

// The sanitizers take memory that is not the program's.
TEST_CASE_FIXTURE(fixture, "out of memory, connections end and the process lives" * doctest::skip(sanitized)) {
    REQUIRE(serves());
    const std::string head = "GET / HTTP/1.1\r\nHost: a\r\nA: ";
    std::string upload;
    SUBCASE("heads that do not end") { upload = head + std::string(100'000, 'x'); }
    SUBCASE("requests with bodies") {
        upload = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10000000\r\n\r\n" + std::string(1'000'000, 'x');
    }
    SUBCASE("very many small requests that wait") { upload = get; }
    sidecar.limit(RLIMIT_DATA, sidecar.data_bytes() + (4 << 20));
    {
        std::vector<wire> clients;
        for (int i = 0; i < 200 && sidecar.is_alive(); ++i) {
            clients.push_back(sidecar.connect());
            clients.back().send_what_goes(upload);
        }
    }
    CHECK(sidecar.is_alive());
    sidecar.limit(RLIMIT_DATA, std::size_t{1} << 40); // others have given some back
    CHECK(serves());
}

TEST_CASE("a status document for which there is no memory costs its poll, and the next one is taken" *
          doctest::skip(sanitized)) {
    std::atomic<bool> is_large{false};
    std::atomic<int> asked_when_large{0};
    const answering_backend api(ok);
    const answering_backend status([&](std::string_view) -> std::string {
        const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ";
        if (!is_large) return head + "2\r\n\r\n{}";
        ++asked_when_large;
        return head + "1000000000\r\n\r\n{";
    });
    program sidecar(
        "upstream: {address: 127.0.0.1:" + std::to_string(api.port()) +
        "}\nworkers: 1\nadmin: {address: off}\nstatus: {url: http://127.0.0.1:" + std::to_string(status.port()) +
        "/, max_document: 1GiB, interval: 50ms, timeout: 100ms, max_backoff: 50ms, wait: 0s}\n");
    const auto comes_true = [](const auto& what) {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (!what() && std::chrono::steady_clock::now() < until) std::this_thread::sleep_for(5ms);
        return what();
    };
    const auto asked = [&](std::size_t times) { return comes_true([&] { return status.requests().size() >= times; }); };
    REQUIRE(asked(1));
    sidecar.limit(RLIMIT_DATA, sidecar.data_bytes() + (64 << 20));
    is_large = true;
    REQUIRE(comes_true([&] { return asked_when_large > 0; }));
    is_large = false;
    CHECK(asked(status.requests().size() + 3));
    CHECK(sidecar.is_alive());
}

TEST_CASE_FIXTURE(fixture, "out of descriptors, clients wait or get a 503, and all is well when there are some again") {
    REQUIRE(serves());
    const auto there = sidecar.descriptors();
    int spare = 0;
    SUBCASE("none for another client") { spare = 0; }
    SUBCASE("one for a client, none for the backend") { spare = 1; }
    SUBCASE("two") { spare = 2; }
    sidecar.limit(RLIMIT_NOFILE, there + static_cast<std::size_t>(spare));
    {
        std::vector<wire> clients;
        for (int i = 0; i < 20; ++i) {
            clients.push_back(sidecar.connect());
            clients.back().send(get);
        }
        for (auto& each : clients) {
            if (each.stays_silent(10ms)) continue;
            const int status = status_of(each.receive_head());
            CHECK((status == 503 || status == 200));
        }
    }
    CHECK(sidecar.is_alive());
    sidecar.limit(RLIMIT_NOFILE, 1000);
    CHECK(serves());
}

TEST_CASE("a drain while there is no descriptor for who waits to be accepted ends in order") {
    const closed_port nobody;
    program sidecar(in_front_of(nobody.port(), nobody.port()) + "drain: {accept_for: 0s, timeout: 1s}\n");
    const auto there = sidecar.descriptors();
    bool some_again = false;
    SUBCASE("nor is there one then") { some_again = false; }
    SUBCASE("but then there is") { some_again = true; }
    sidecar.limit(RLIMIT_NOFILE, there);
    const auto client = sidecar.connect();
    sidecar.halt(); // the end of its pause, the end of the want and the signal come to it at once
    if (some_again) sidecar.limit(RLIMIT_NOFILE, 1000);
    sidecar.go_on();
    sidecar.signal(SIGTERM);
    const int code = sidecar.exit_code();
    INFO(sidecar.output());
    CHECK(code == 0);
}

} // namespace exhaustion_test
