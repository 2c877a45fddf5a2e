// What passes through is known at once (docs/behaviour.md 7): a project just created is gated before any poll has seen
// it.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

namespace learn_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string json = "Content-Type: application/json\r\n";
const std::string created = R"({"kind":"project","id":")" + id + R"(","name":"n"})";
const std::string create =
    "POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 2\r\n\r\n{}";
const std::string upload =
    "POST /api/v1/projects/" + id + "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 2\r\n\r\n{}";

std::string accepted(const std::string& lines, const std::string& body) {
    return "HTTP/1.1 202 Accepted\r\n" + lines + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string gzipped(const std::string& text) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(text.size() + 100, '\0');
    std::string in = text;
    stream.next_in = reinterpret_cast<Bytef*>(in.data());
    stream.avail_in = static_cast<uInt>(in.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

struct fixture {
    scripted_backend backend;
    status_endpoint status;
    sidecar_under_test proxy{backend, status};
    wire client = proxy.connect();
    wire up;

    // The answer passes unchanged.
    void pass(const std::string& answer, const std::string& request = create) {
        client.send(request);
        backend.await_request(up);
        CHECK(up.receive(request.size()) == request);
        up.send(answer);
        CHECK(client.receive(answer.size()) == answer);
    }
    void pass_apart(const std::string& response) {
        client.send(create);
        backend.await_request(up);
        up.receive_request();
        const auto head = response.substr(0, response.find("\r\n\r\n") + 4);
        up.send(head);
        CHECK(client.receive(head.size()) == head);
        up.send(response.substr(head.size()));
        CHECK(client.receive(response.size() - head.size()) == response.substr(head.size()));
    }
    bool is_gated() {
        client.send(upload);
        while (!client.has_something() && !up.has_bytes() && backend.untouched()) std::this_thread::yield();
        if (!client.has_something()) {
            backend.await_request(up);
            up.receive_request();
            up.send("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
        }
        const auto answer = client.receive_answer();
        const bool gated = status_of(answer.head) == 404;
        CHECK(gated == (answer.body.find("resource_not_consistent") != std::string::npos));
        return gated;
    }
};

TEST_CASE_FIXTURE(fixture, "a project just created is gated at once, until a poll sent after it says otherwise") {
    status.hold(); // a poll is under way, and its word will be older than the project
    pass(accepted(json, created));
    CHECK(is_gated());
    status.release_one(); // it says: all is ready
    CHECK(is_gated());
    status.publish("{}");
    CHECK_FALSE(is_gated());
}

TEST_CASE_FIXTURE(fixture, "it is not forgotten over a reload that asks for more members") {
    client.send(create);
    backend.await_request(up);
    CHECK(up.receive(create.size()) == create);
    proxy.reload([](config& c) {
        c.rules.rules.insert(c.rules.rules.begin(), {"more", "GET", "/projects/{id}/more", "info",
                                                     sidecar::augment_rule{"projects", {"is_searchable"}, {}}});
    });
    status.await_polled();
    status.hold();
    const auto answer = accepted(json, created);
    up.send(answer);
    CHECK(client.receive(answer.size()) == answer);
    CHECK(is_gated());
}

TEST_CASE_FIXTURE(fixture, "nor if it came in just before the reload") {
    status.hold();
    pass(accepted(json, created));
    proxy.reload([](config& c) {
        c.rules.rules.insert(c.rules.rules.begin(), {"more", "GET", "/projects/{id}/more", "info",
                                                     sidecar::augment_rule{"projects", {"is_searchable"}, {}}});
    });
    CHECK(is_gated());
}

TEST_CASE_FIXTURE(fixture, "then the snapshot's word counts") {
    status.hold();
    pass(accepted(json, created));
    status.publish(R"({"projects":[{"id":")" + id + R"(","is_upload_ready":false,"is_download_ready":false}]})");
    CHECK(is_gated());
    status.publish(R"({"projects":[{"id":")" + id + R"(","is_upload_ready":true,"is_download_ready":false}]})");
    CHECK_FALSE(is_gated());
}

TEST_CASE_FIXTURE(fixture, "a project just created is shown as not ready") {
    status.hold();
    pass(accepted(json, created));
    client.send("GET /api/v1/projects/" + id + "?info HTTP/1.1\r\nHost: a\r\n\r\n");
    backend.await_request(up);
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\n" + json + "Content-Length: 2\r\n\r\n{}");
    CHECK(client.receive_answer().body ==
          R"({"info":{"resource_consistency":{"is_upload_ready":false,"is_download_ready":false}}})");
}

TEST_CASE_FIXTURE(fixture, "it is learned from every framing") {
    status.hold();
    const auto chunks = [](const std::string& body) {
        return "HTTP/1.1 201 Created\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n" + chunked(body, 5);
    };
    SUBCASE("chunks") { pass(chunks(created)); }
    SUBCASE("gzip") { pass(accepted(json + "Content-Encoding: gzip\r\n", gzipped(created))); }
    SUBCASE("another case of the id") { pass(accepted(json, R"({"id":"CA29F7DF-33CA-46DD-A015-92C46FDB6FD1"})")); }
    SUBCASE("pieces") {
        client.send(create);
        backend.await_request(up);
        up.receive_request();
        const auto answer = accepted(json, created);
        up.send_bytewise(answer);
        CHECK(client.receive(answer.size()) == answer);
    }
    // The body comes when the head has gone, and into memory where the head was.
    SUBCASE("gzip, head and body apart") {
        pass_apart(accepted(json + "Content-Encoding: gzip\r\n", gzipped(created)));
    }
    SUBCASE("gzip, head and large body apart") {
        const auto padded = R"({"id":")" + id + R"(","x":")" + std::string(60'000, 'x') + R"("})";
        pass_apart(accepted(json + "Content-Encoding: gzip\r\n", gzipped(padded)));
    }
    SUBCASE("head and body apart") { pass_apart(accepted(json, created)); }
    SUBCASE("until the end") {
        client.send(create);
        up = backend.accept();
        up.receive_request();
        up.send("HTTP/1.1 201 Created\r\n" + json + "\r\n" + created);
        up.close();
        CHECK(client.receive_rest().ends_with(created));
        client = proxy.connect();
    }
    CHECK(is_gated());
}

TEST_CASE_FIXTURE(fixture, "it is learned before the client has the answer's end") {
    for (int i = 0; i < 20; ++i) {
        status.hold();
        pass(accepted(json, created));
        CHECK(is_gated());
        status.publish("{}");
        CHECK_FALSE(is_gated());
    }
}

TEST_CASE_FIXTURE(fixture, "nothing is learned from other answers, and they pass unchanged") {
    status.hold();
    SUBCASE("an error") {
        pass("HTTP/1.1 400 Bad Request\r\n" + json + "Content-Length: " + std::to_string(created.size()) + "\r\n\r\n" +
             created);
    }
    SUBCASE("no id") { pass(accepted(json, R"({"project":{"id":")" + id + R"("}})")); }
    SUBCASE("an id that is no UUID") { pass(accepted(json, R"({"id":"7"})")); }
    SUBCASE("no JSON") { pass(accepted(json, "{\"id\":\"" + id + "\"")); }
    SUBCASE("too large") {
        pass(accepted(json, R"({"x":")" + std::string(100'000, 'x') + R"(","id":")" + id + R"("})"));
    }
    SUBCASE("no body") { pass("HTTP/1.1 204 No Content\r\n\r\n"); }
    SUBCASE("another method") {
        pass(accepted(json, created), "PUT /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    }
    SUBCASE("another collection") {
        pass(accepted(json, created), "POST /api/v1/files HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    }
    CHECK_FALSE(is_gated());
}

TEST_CASE_FIXTURE(fixture, "a new version of a file is learned from its path") {
    status.hold();
    const auto url = [&] {
        client.send("GET /api/v1/files/" + id + "/url?info HTTP/1.1\r\nHost: a\r\n\r\n");
        backend.await_request(up);
        up.receive_head();
        up.send("HTTP/1.1 200 OK\r\n" + json + "Content-Length: 2\r\n\r\n{}");
        return client.receive_answer().body;
    };
    CHECK(url() == R"({"info":{"resource_consistency":{"is_download_ready":true}}})");
    pass(accepted(json, "{}"), "PUT /api/v1/files/" + id + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    CHECK(url() == R"({"info":{"resource_consistency":{"is_download_ready":false}}})");
    status.publish("{}");
    CHECK(url() == R"({"info":{"resource_consistency":{"is_download_ready":true}}})");
}

TEST_CASE_FIXTURE(fixture, "half an answer teaches nothing wrong and is no false success") {
    status.hold();
    client.send(create);
    backend.await_request(up);
    up.receive_request();
    up.send("HTTP/1.1 202 Accepted\r\n" + json + "Content-Length: 100\r\n\r\n" + created);
    up.close();
    CHECK(client.receive_rest().ends_with(created)); // 41 bytes short
    client = proxy.connect();
    CHECK_FALSE(is_gated());
}

TEST_CASE("a second worker knows at once too") {
    scripted_backend backend;
    status_endpoint status;
    sidecar_under_test proxy(backend, status, [](config& c) { c.workers = 2; });
    status.hold();
    auto client = proxy.connect();
    client.send(create);
    auto up = backend.accept();
    up.receive_request();
    up.send(accepted(json, created));
    client.receive_answer();
    for (int i = 0; i < 20; ++i) CHECK(status_of(proxy.ask(upload).head) == 404); // spread over both
}

} // namespace learn_test
