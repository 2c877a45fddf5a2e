// What a client or a backend can make the sidecar hold is bounded, and is given back; and what it can make it work.
#include "tests/harness/http_text.hpp"
#include "tests/harness/program.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/status_endpoint.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <vector>

namespace memory_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::size_t mib = 1 << 20;

std::string with_info(const std::string& config) {
    return config + "rules: [{name: info, method: GET, path: \"/projects/{id}\", query: info, " +
           "augment: {collection: projects, members: [is_upload_ready], unknown: ready}}]\n";
}

std::string repeated(std::string_view part, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += part;
    return all;
}

struct fixture {
    scripted_backend backend{512};
    closed_port no_status;
    program sidecar{with_info(in_front_of(backend.port(), no_status.port()))};
    std::size_t at_first = 0;

    fixture() {
        serves(); // so that what is set up once is there
        at_first = sidecar.resident_bytes();
    }
    void serves() {
        auto client = sidecar.connect();
        auto up = backend.serve_one(client, get, ok);
    }
    bool comes_back_to(std::size_t bytes) const {
        const auto until = std::chrono::steady_clock::now() + patience;
        while (sidecar.resident_bytes() > bytes) {
            if (std::chrono::steady_clock::now() > until) return false;
            std::this_thread::sleep_for(5ms);
        }
        return sidecar.is_alive();
    }
};

// Only outside of the sanitizers, which keep what is freed.
TEST_CASE_FIXTURE(fixture, "the memory that requests with very many connection options took is given back" *
                               doctest::skip(sanitized)) {
    const auto request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close" + repeated(",a", 60'000) +
                         "\r\n\r\n"; // each forwarded or refused
    {
        std::vector<wire> clients;
        for (int i = 0; i < 100; ++i) {
            clients.push_back(sidecar.connect());
            clients.back().try_send(request);
        }
        for (auto& each : clients) each.stays_silent(2ms); // forwarded or refused
    }
    CHECK(comes_back_to(at_first + 32 * mib));
}

TEST_CASE_FIXTURE(fixture, "the memory that collected responses took is given back" * doctest::skip(sanitized)) {
    const std::string request =
        "GET /api/v1/projects/ca29f7df-33ca-46dd-a015-92c46fdb6fd1?info HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    const auto framed = chunked(R"({"x":")" + std::string(mib - 100, 'x') + R"("})", 16'384);
    {
        std::vector<wire> clients, ups;
        for (int i = 0; i < 80; ++i) {
            clients.push_back(sidecar.connect());
            clients.back().send(request);
            ups.push_back(backend.accept());
            ups.back().receive_head();
            ups.back().send(head + framed.substr(0, framed.size() - 8));
        }
        for (auto& each : ups) each.send(framed.substr(framed.size() - 8));
        for (auto& each : clients) CHECK(each.receive_answer().body.size() > mib - 100);
    }
    CHECK(comes_back_to(at_first + 48 * mib));
}

TEST_CASE_FIXTURE(fixture,
                  "very many connection options in very many fields cost little time" * doctest::skip(sanitized)) {
    std::string request = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 0; i < 200; ++i) request += "b: v\r\n";
    request += "Connection: a" + repeated(",a", 58'000) + "\r\n\r\n";
    const auto before = sidecar.cpu_time();
    constexpr int requests = 40;
    for (int i = 0; i < requests; ++i) {
        auto client = sidecar.connect();
        client.try_send(request);
        while (!client.has_something() && backend.untouched()) std::this_thread::yield();
        if (client.has_something()) continue; // refused
        auto up = backend.accept();
        up.receive_head();
        up.send(ok);
        CHECK(client.receive_answer().body == "ok");
    }
    CHECK((sidecar.cpu_time() - before).count() < requests * 3);
}

// Each of another size, so that no piece of the one before fits the next.
TEST_CASE("status documents that change take no more memory from one to the next" * doctest::skip(sanitized)) {
    constexpr int entries = 150'000, changes = 40;
    const auto document = [](int number) {
        std::string text = R"({"projects":[)";
        const int count = entries + number * 1'000;
        for (int i = 0; i < count; ++i)
            text += fmt::format(R"({}{{"id":"{:08x}-0000-4000-8000-{:012x}","is_upload_ready":false}})",
                                i == 0 ? "" : ",", number, i);
        return text + R"(],"files":[]})";
    };
    status_endpoint status(document(0));
    scripted_backend backend;
    program sidecar("upstream: {address: 127.0.0.1:" + std::to_string(backend.port()) + "}\nworkers: 1\n" +
                    "admin: {address: off}\nstatus: {url: " + status.url() + ", interval: 10ms}\n");
    std::size_t early = 0;
    for (int i = 1; i <= changes; ++i) {
        status.publish(document(i));
        if (i == 10) early = sidecar.resident_bytes();
    }
    CHECK(sidecar.resident_bytes() < early + 40 * mib);
}

} // namespace memory_test
