// Nothing behind a message's end travels, on any path (docs/behaviour.md 2.9): what a backend sends behind its response
// would be taken by the client for the response to its next request.
#include "tests/harness/http_text.hpp"
#include "tests/harness/program.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <exception>
#include <vector>

namespace behind_the_end_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string augmented_get = "GET /api/v1/projects/" + id + "?info HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string plain_get = "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string created = "POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
const std::string next_get = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string next_response = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext";
const std::string poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON";
const std::string document =
    R"({"projects":[{"id":")" + id + R"(","is_upload_ready":false,"is_download_ready":false}],"files":[]})";

enum class framing { length, chunks, chunks_with_trailers };
// When what lies behind the end comes.
enum class arrival { at_once, behind_the_head, with_the_last_byte, once_the_client_has_it };

struct body_case {
    std::string name;
    std::string body;
    std::string type = "application/json";
};

std::vector<body_case> bodies() {
    return {{"an object, which is augmented", R"({"id":"x"})"},
            {"an array", "[]"},
            {"a scalar", "17"},
            {"nothing", ""},
            {"a broken object", R"({"id":)"},
            {"two objects", "{}{}"},
            {"bytes that are not UTF-8", "{\"a\":\"\xff\"}"},
            {"the backend's own info", R"({"info":{"resource_consistency":{}}})"},
            {"an info that is not an object", R"({"info":7})"},
            {"more than is collected", R"({"x":")" + std::string(3000, 'x') + R"("})"},
            {"more than is read at once", R"({"x":")" + std::string(300'000, 'x') + R"("})"},
            {"another type", "{}", "text/plain"}};
}

std::string response_with(const body_case& of, framing how, const std::string& status = "200 OK") {
    std::string head = "HTTP/1.1 " + status + "\r\nContent-Type: " + of.type + "\r\n";
    if (how == framing::length)
        return head + "Content-Length: " + std::to_string(of.body.size()) + "\r\n\r\n" + of.body;
    head += "Transfer-Encoding: chunked\r\n\r\n";
    auto framed = chunked(of.body, of.body.size() > 1000 ? 20'000 : 7);
    if (how == framing::chunks_with_trailers) framed.insert(framed.size() - 2, "X-Sum: 1\r\n");
    return head + framed;
}

struct fixture {
    scripted_backend backend;
    status_endpoint status{document};
    sidecar_under_test proxy{backend, status, [](config& c) { c.rules.augment_body_max = 2000; }};

    // What went wrong; empty: nothing. The client gets one whole response, and then the one to its next request.
    std::string play(const std::string& request, const std::string& response, arrival when,
                     const std::string& behind = poison) {
        try {
            auto client = proxy.connect();
            client.send(request);
            auto up = backend.accept();
            up.receive_request();
            const auto head_size = response.find("\r\n\r\n") + 4;
            const auto first = when == arrival::behind_the_head      ? head_size
                               : when == arrival::with_the_last_byte ? response.size() - 1
                                                                     : 0;
            up.send(response.substr(0, first));
            if (first) up.stays_silent(5ms); // let it be read alone
            up.send(response.substr(first) + (when == arrival::once_the_client_has_it ? "" : behind));
            const auto first_response = client.receive_answer();
            if (when == arrival::once_the_client_has_it) up.try_send(behind);
            if (status_of(first_response.head) != status_of(response)) return "another status";
            client.send(next_get);
            backend.await_request(up);
            if (up.receive_head() != next_get) return "the next request arrives as another";
            up.send(next_response);
            const auto second = client.receive(next_response.size());
            if (second != next_response) return "the next response is " + shown(second);
            return client.has_something() ? "and something behind it" : "";
        } catch (const std::exception& e) {
            return e.what();
        }
    }

    void check_all(const std::string& request, const std::string& status_line = "200 OK") {
        for (const auto& each : bodies())
            for (const auto how : {framing::length, framing::chunks, framing::chunks_with_trailers})
                for (const auto when : {arrival::at_once, arrival::behind_the_head, arrival::with_the_last_byte,
                                        arrival::once_the_client_has_it}) {
                    CAPTURE(each.name);
                    CAPTURE(static_cast<int>(how));
                    CAPTURE(static_cast<int>(when));
                    CHECK(play(request, response_with(each, how, status_line), when) == "");
                }
    }
};

TEST_CASE_FIXTURE(fixture, "nothing behind a response that is to be augmented reaches the client") {
    check_all(augmented_get);
}

TEST_CASE_FIXTURE(fixture, "nothing behind a response that is relayed reaches the client") { check_all(plain_get); }

TEST_CASE_FIXTURE(fixture, "nothing behind a response that teaches reaches the client") {
    check_all(created, "201 Created");
}

TEST_CASE_FIXTURE(fixture, "nothing behind a response to ?info that is not a 200 reaches the client") {
    check_all(augmented_get, "404 Not Found");
}

TEST_CASE_FIXTURE(fixture, "nothing behind a response without a body reaches the client") {
    for (const auto when : {arrival::at_once, arrival::once_the_client_has_it})
        for (const auto& request : {plain_get, augmented_get, created})
            for (const auto& behind : {poison, std::string("x"), std::string("\r\n")}) {
                CAPTURE(request);
                CAPTURE(behind);
                CHECK(play(request, "HTTP/1.1 204 No Content\r\n\r\n", when, behind) == "");
                CHECK(play(request, "HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n", when, behind) == "");
            }
}

// Puma 5.4 and before take a trailer section for the next request, and answer it (CVE-2023-40175).
TEST_CASE_FIXTURE(fixture, "a 400 behind each response, as old Pumas send it, stays here") {
    for (const auto& each : bodies()) {
        CAPTURE(each.name);
        CHECK(play(augmented_get, response_with(each, framing::length), arrival::at_once,
                   "HTTP/1.1 400 Bad Request\r\n\r\n") == "");
    }
}

TEST_CASE_FIXTURE(fixture, "nothing behind a request's end reaches the backend with it") {
    auto client = proxy.connect();
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    client.send(post + next_get);
    auto up = backend.accept();
    CHECK(up.receive_request().bytes() == post);
    CHECK(up.stays_silent(10ms));
    up.send(next_response);
    CHECK(client.receive(next_response.size()) == next_response);
    backend.await_request(up);
    CHECK(up.receive_head() == next_get);
}

TEST_CASE_FIXTURE(fixture, "bytes behind a response in whose place a 412 goes end the backend's connection") {
    auto client = proxy.connect();
    client.send("GET /api/v1/projects/" + id + "?info HTTP/1.1\r\nHost: a\r\nIf-Match: \"another\"\r\n\r\n");
    auto up = backend.accept();
    up.receive_request();
    up.send(response_with(bodies().front(), framing::length) + poison);
    CHECK(status_of(client.receive_answer().head) == 412);
    client.send(next_get);
    auto fresh = backend.accept();
    CHECK(fresh.receive_head() == next_get);
    fresh.send(next_response);
    CHECK(client.receive(next_response.size()) == next_response);
    CHECK(up.receive_rest().empty());
}

// What the sidecar looks at at once is bounded: the late bytes' event lies behind those of all the others.
TEST_CASE("a second response that comes late is nobody's, whatever else happens with it") {
    scripted_backend backend;
    closed_port no_status;
    program sidecar(in_front_of(backend.port(), no_status.port()));
    auto client = sidecar.connect();
    auto up = backend.serve_one(client, plain_get, next_response);
    std::vector<wire> others;
    for (int i = 0; i < 400; ++i) others.push_back(sidecar.connect());
    auto last = sidecar.connect();
    last.send("BAD\r\n\r\n");
    last.receive_rest(); // all have been accepted
    sidecar.halt();
    client.send(next_get);
    for (auto& each : others) each.send("G");
    up.send(poison);
    sidecar.go_on();
    auto fresh = backend.accept();
    CHECK(fresh.receive_head() == next_get);
    fresh.send(next_response);
    CHECK(client.receive(next_response.size()) == next_response);
    CHECK(client.stays_silent(10ms));
}

} // namespace behind_the_end_test
