// A client's connection stays in step behind a local reply that came while the request's body was still on its way:
// what is left of the body is discarded, and the request pipelined behind it is served.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace kept_after_reply_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string document =
    R"({"projects":[{"id":")" + id + R"(","is_upload_ready":false,"is_download_ready":false}],"files":[]})";
const std::string next_get = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string next_response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";

struct framed_body {
    std::string line;
    std::string bytes;
};

// It reads like requests, so that one byte out of step would show.
std::vector<framed_body> bodies() {
    std::vector<framed_body> all;
    for (const std::size_t repeated : {1, 1'000}) {
        std::string text;
        for (std::size_t i = 0; i < repeated; ++i) text += "DELETE /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
        all.push_back({"Content-Length: " + std::to_string(text.size()) + "\r\n", text});
        all.push_back({"Transfer-Encoding: chunked\r\n", chunked(text, 7'000)});
    }
    return all;
}

struct fixture {
    scripted_backend backend;
    status_endpoint status{document};
    sidecar_under_test proxy{backend, status, [](config& c) {
                                 c.upstream.connect_retry = 20ms;
                                 c.upstream.write_timeout = 200ms;
                                 c.downstream.drain_bytes_max = 64 << 20;
                             }};
    wire client = proxy.connect();
    wire up;

    // The rest of the body, and the next request in the same piece.
    void check_in_step(const std::string& rest) {
        client.send(rest + next_get);
        if (up.is_open())
            backend.await_request(up);
        else
            up = backend.accept();
        CHECK(up.receive_head() == next_get);
        up.send(next_response);
        CHECK(client.receive(next_response.size()) == next_response);
        CHECK(backend.untouched());
    }
};

// Where the reply finds the body: not within its last line, which goes on as a whole.
std::vector<std::size_t> positions(const framed_body& of) {
    return {0, 1, of.bytes.size() / 2, of.bytes.size() - 5, of.bytes.size()};
}

TEST_CASE("behind the gate's 404") {
    for (const auto& body : bodies())
        for (const auto at : positions(body)) {
            CAPTURE(body.line);
            CAPTURE(at);
            fixture in;
            in.client.send("POST /api/v1/projects/" + id + "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\n" +
                           body.line + "\r\n" + body.bytes.substr(0, at));
            CHECK(status_of(in.client.receive_answer().head) == 404);
            in.check_in_step(body.bytes.substr(at));
        }
}

TEST_CASE("behind a 502 for rubbish in place of a response") {
    for (const auto& body : bodies())
        for (const auto at : positions(body)) {
            CAPTURE(body.line);
            CAPTURE(at);
            fixture in;
            const auto head = "POST / HTTP/1.1\r\nHost: a\r\n" + body.line + "\r\n";
            in.client.send(head + body.bytes.substr(0, at));
            in.up = in.backend.accept();
            CHECK(in.up.receive(head.size() + at) == head + body.bytes.substr(0, at));
            in.up.send("rubbish\r\n\r\n");
            CHECK(status_of(in.client.receive_answer().head) == 502);
            CHECK(in.up.receive_rest().empty()); // nothing more of the body
            in.up.close();
            in.check_in_step(body.bytes.substr(at));
        }
}

TEST_CASE("behind a 503 for a backend that can't be reached") {
    for (const auto& body : bodies())
        for (const auto at : positions(body)) {
            CAPTURE(body.line);
            CAPTURE(at);
            fixture in;
            in.backend.refuse();
            in.client.send("POST / HTTP/1.1\r\nHost: a\r\n" + body.line + "\r\n" + body.bytes.substr(0, at));
            CHECK(status_of(in.client.receive_answer().head) == 503);
            in.backend.listen_again();
            in.check_in_step(body.bytes.substr(at));
        }
}

TEST_CASE("behind a 412 in place of a response that came before the request's end") {
    for (const auto& body : bodies())
        for (const auto at : positions(body)) {
            CAPTURE(body.line);
            CAPTURE(at);
            fixture in;
            in.client.send("GET /api/v1/projects/" + id + "?info HTTP/1.1\r\nHost: a\r\nIf-Match: \"another\"\r\n" +
                           body.line + "\r\n" + body.bytes.substr(0, at));
            in.up = in.backend.accept();
            in.up.receive_head();
            CHECK(in.up.receive(at) == body.bytes.substr(0, at));
            in.up.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
            CHECK(status_of(in.client.receive_answer().head) == 412); // it waits for no more of the body
            if (at < body.bytes.size()) {
                CHECK(in.up.receive_rest().empty());
                in.up.close();
            }
            in.check_in_step(body.bytes.substr(at));
        }
}

TEST_CASE("behind a 504 for a backend that takes no more of the request") {
    std::string text;
    while (text.size() < std::size_t{16} << 20) text += "DELETE /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const bool in_chunks : {false, true}) {
        CAPTURE(in_chunks);
        fixture in;
        const auto body = in_chunks ? chunked(text, 100'000) : text;
        const auto line =
            in_chunks ? "Transfer-Encoding: chunked\r\n" : "Content-Length: " + std::to_string(text.size()) + "\r\n";
        in.client.send("POST / HTTP/1.1\r\nHost: a\r\n" + line + "\r\n");
        auto stalled = in.backend.accept(); // and nobody reads it
        const auto sent = in.client.send_until_stalled(body, 50ms);
        CHECK(status_of(in.client.receive_answer().head) == 504);
        in.check_in_step(body.substr(sent));
    }
}

} // namespace kept_after_reply_test
