// A reload between a head's first byte and its last: the request is judged by one configuration and the snapshot that
// belongs to it, both taken when the head is whole (docs/behaviour.md 7, 8).
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace reload_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string json_head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n";

// Nothing of what the first rules ask for is ready, and all of what the second do.
const std::string document = R"({"projects":[{"id":")" + id +
                             R"(","is_upload_ready":false,"is_download_ready":false,"is_a":true,"is_b":true}],)" +
                             R"("files":[]})";

sidecar::rule info_rule(std::vector<std::string> members) {
    return {"info", "GET", "/projects/{id}", "info", sidecar::augment_rule{"projects", std::move(members), {}}};
}
sidecar::rule gate_by(const std::string& member) {
    return {"gate", "POST", "/projects/{id}/uploads", "", sidecar::gate_rule{"projects", member, {}, {}}};
}

struct fixture {
    scripted_backend backend;
    status_endpoint status{document};
    sidecar_under_test proxy{
        backend, status, [](config& c) {
            c.rules.rules = {info_rule({"is_upload_ready", "is_download_ready"}), gate_by("is_upload_ready")};
        }};
    wire client = proxy.connect();

    void reload_to_other_rules() {
        proxy.reload([](config& c) { c.rules.rules = {info_rule({"is_a", "is_b"}), gate_by("is_a")}; });
        status.await_polled();
    }
};

TEST_CASE_FIXTURE(fixture, "a head begun before a reload is judged by the rules and the snapshot behind it") {
    const std::string head = "GET /api/v1/projects/" + id + "?info HTTP/1.1\r\nHost: a\r\n\r\n";
    std::size_t before = 0;
    SUBCASE("its first byte") { before = 1; }
    SUBCASE("its target") { before = head.find(" HTTP"); }
    SUBCASE("all but its last byte") { before = head.size() - 1; }
    client.send(head.substr(0, before));
    CHECK(client.stays_silent(20ms));
    reload_to_other_rules();
    client.send(head.substr(before));
    auto up = backend.accept();
    up.receive_head();
    up.send(json_head + "{}");
    CHECK(client.receive_answer().body == R"({"info":{"resource_consistency":{"is_a":true,"is_b":true}}})");
}

TEST_CASE_FIXTURE(fixture, "a gate that closes by the old rules and opens by the new ones is open behind a reload") {
    const std::string head =
        "POST /api/v1/projects/" + id + "/uploads HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    client.send(head);
    CHECK(status_of(client.receive_answer().head) == 404);
    client.send(head.substr(0, 40));
    CHECK(client.stays_silent(20ms));
    reload_to_other_rules();
    client.send(head.substr(40));
    auto up = backend.accept();
    CHECK(up.receive_head() == head);
    up.send("HTTP/1.1 204 No Content\r\n\r\n");
    CHECK(status_of(client.receive_answer().head) == 204);
}

TEST_CASE_FIXTURE(fixture, "a request under way at a reload ends by the rules that it began with") {
    client.send("GET /api/v1/projects/" + id + "?info HTTP/1.1\r\nHost: a\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    reload_to_other_rules();
    up.send(json_head + "{}");
    CHECK(client.receive_answer().body ==
          R"({"info":{"resource_consistency":{"is_upload_ready":false,"is_download_ready":false}}})");
}

TEST_CASE("a request that is sent again by the configuration of before a reload leaves the pool to the new one") {
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    scripted_backend before, after;
    sidecar_under_test proxy(before);
    auto early = proxy.connect(), late = proxy.connect();
    auto old = before.serve_one(early, get, ok);
    early.send(get);
    CHECK(old.receive_head() == get);
    proxy.reload([&](config& c) { c.upstream.address = {"127.0.0.1", after.port()}; });
    auto up = after.serve_one(late, get, ok);
    old.close(); // the kept connection was dead: once more, to where it was going
    auto again = before.accept();
    CHECK(again.receive_head() == get);
    again.send(ok);
    CHECK(early.receive(ok.size()) == ok);
    late.send(get);
    CHECK(up.receive_head() == get); // on the connection that was kept
    up.send(ok);
    CHECK(late.receive(ok.size()) == ok);
    CHECK(after.untouched());
    CHECK(again.receive_rest().empty()); // it is not kept
}

} // namespace reload_test
