// The gate (docs/behaviour.md 1, 5): uploads into a project that is not upload-ready get the 404 at once; nobody else
// does.
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace gate_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string busy = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string idle = "aaaaaaaa-33ca-46dd-a015-92c46fdb6fd1";
const std::string document =
    R"({"projects":[{"id":")" + busy + R"(","is_upload_ready":false,"is_download_ready":false}],"files":[]})";
const std::string body_404 =
    R"({"error":404,"code":"resource_not_consistent","reason":"resource changes are still being processed by system",)"
    R"("suggestion":"this is a temporary state that will eventually be resolved by the system; please retry request"})";
const std::string created = "HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}";

std::string upload(const std::string& id, const std::string& lines = "Authorization: t\r\nContent-Length: 2\r\n",
                   const std::string& body = "{}") {
    return "POST /api/v1/projects/" + id + "/uploads HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body;
}

std::string without_date(std::string bytes) {
    const auto begin = bytes.find("Date: ");
    return begin == std::string::npos ? bytes : bytes.erase(begin, bytes.find("\r\n", begin) + 2 - begin);
}

std::string own_404(const std::string& more_lines = "") {
    return "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: " +
           std::to_string(body_404.size()) + "\r\nCache-Control: no-cache\r\nRetry-After: 1\r\n" + more_lines + "\r\n" +
           body_404;
}

struct fixture {
    scripted_backend backend;
    status_endpoint status{document};
    sidecar_under_test proxy{backend, status, [](config& c) {
                                 c.own_answers.cors_expose_headers = {"X-Total", "X-Page"};
                             }};
    wire client = proxy.connect();

    std::string gated(const std::string& request) {
        client.send(request);
        const auto answer = client.receive_answer();
        CHECK(backend.untouched());
        return without_date(answer.bytes());
    }
    void check_passes(const std::string& request, std::string answer = created) {
        auto other = proxy.connect();
        other.send(request);
        auto up = backend.accept();
        CHECK(up.receive(request.size()) == request);
        up.send(answer);
        CHECK(other.receive(answer.size()) == answer);
        up.close();
    }
};

TEST_CASE_FIXTURE(fixture,
                  "an upload into a project that is not ready: the 404, to the byte, and the connection goes on") {
    for (int i = 0; i < 3; ++i) CHECK(gated(upload(busy)) == own_404());
    std::string upper = busy;
    for (char& c : upper) c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
    CHECK(gated(upload(upper)) == own_404());
}

TEST_CASE_FIXTURE(fixture, "every spelling that the backend takes for the route is gated") {
    for (const std::string path :
         {"/uploads", "/uploads/", "/uploads.json", "/uploads?x=y", "//uploads", "/%75ploads", "/uploads%2ejson"})
        CHECK_MESSAGE(gated("POST /api/v1/projects/" + busy + path +
                            " HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n") == own_404(),
                      path);
    CHECK(gated("POST http://a/api/v1/projects/" + busy +
                "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n") == own_404());
}

TEST_CASE_FIXTURE(fixture, "what the gate lets pass") {
    check_passes(upload(idle));
    check_passes(upload("not-a-uuid"));
    check_passes(upload(busy, "Content-Length: 2\r\n")); // the backend's own 401 comes first
    check_passes(upload(busy, "Authorization: t\r\nX-HTTP-Method-Override: GET\r\nContent-Length: 2\r\n"));
    check_passes(upload(busy, "Authorization: t\r\nX_HTTP_METHOD_OVERRIDE: GET\r\nContent-Length: 2\r\n"));
    check_passes("GET /api/v1/projects/" + busy + "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\n\r\n");
    check_passes("OPTIONS /api/v1/projects/" + busy +
                 "/uploads HTTP/1.1\r\nHost: a\r\nOrigin: http://o\r\nAccess-Control-Request-Method: POST\r\n\r\n");
    check_passes("POST /api/v1/projects/" + busy +
                 "/uploads/x HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n");
    check_passes("POST /api/v1/projects/" + busy +
                 "/UPLOADS HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n");
}

TEST_CASE_FIXTURE(fixture, "what the backend will not see, or not so, opens no gate") {
    const std::string token = "Authorization: t\r\n", length = "Content-Length: 2\r\n";
    CHECK(gated(upload(busy, token + "Connection: X-HTTP-Method-Override\r\nX-HTTP-Method-Override: GET\r\n" +
                                 length)) == own_404());
    CHECK(gated(upload(busy, token + "X-HTTP-Method-Override:\tGET\r\n" + length)) == own_404()); // Puma keeps the tab
    CHECK(gated(upload(busy, token + "X-HTTP-Method-Override: \tGET\r\n" + length)) == own_404());
    auto other = proxy.connect();
    other.send(upload(busy, "Authorization: t\r\nConnection: Authorization\r\n" + length));
    auto up = backend.accept(); // whose own 401 comes first
    CHECK(up.receive_head().find("Authorization") == std::string::npos);
}

TEST_CASE_FIXTURE(fixture, "the gate opens when the project is ready, and closes again") {
    CHECK(gated(upload(busy)) == own_404());
    status.publish(R"({"projects":[{"id":")" + busy + R"(","is_upload_ready":true,"is_download_ready":false}]})");
    check_passes(upload(busy));
    status.publish("{}"); // not listed: ready
    check_passes(upload(busy));
    status.publish(document);
    CHECK(gated(upload(busy)) == own_404());
}

TEST_CASE_FIXTURE(fixture, "a failed poll keeps the gate as it was") {
    status.fail();
    CHECK(gated(upload(busy)) == own_404());
    check_passes(upload(idle));
}

TEST_CASE("a readiness too old says nothing, and the gate lets pass, or rejects") {
    scripted_backend backend;
    status_endpoint status{document};
    auto unknown = sidecar::unknown_gate::pass;
    SUBCASE("pass") {}
    SUBCASE("reject") { unknown = sidecar::unknown_gate::reject; }
    sidecar_under_test proxy(backend, status, [&](config& c) {
        c.status.max_age = 50ms;
        for (auto& rule : c.rules.rules)
            if (auto* gate = std::get_if<sidecar::gate_rule>(&rule.action)) gate->unknown = unknown;
    });
    const bool rejects = unknown == sidecar::unknown_gate::reject;
    // `idle` is ready while the word counts, so that the change shows in either case.
    const auto id = rejects ? idle : busy;
    status.fail();
    const auto until = std::chrono::steady_clock::now() + patience;
    bool passed = rejects;
    while (passed == rejects) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        auto client = proxy.connect();
        client.send(upload(id));
        while (!client.has_something() && backend.untouched()) std::this_thread::yield();
        passed = !backend.untouched();
        if (!passed) continue;
        auto up = backend.accept();
        up.receive_request();
        up.send(created);
        CHECK(client.receive(created.size()) == created);
    }
    CHECK(passed == !rejects);
}

TEST_CASE("before the first good poll the gate lets pass") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    client.send(upload(busy));
    auto up = backend.accept();
    up.receive_request();
    up.send(created);
    CHECK(client.receive(created.size()) == created);
}

TEST_CASE_FIXTURE(fixture, "bodies of gated requests") {
    std::string request;
    std::string behind = upload(busy);
    SUBCASE("none") { request = upload(busy, "Authorization: t\r\n", ""); }
    SUBCASE("chunks, drained") {
        request = upload(busy, "Authorization: t\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nA: b\r\n\r\n");
    }
    SUBCASE("large enough to come in pieces, drained") {
        request = upload(busy, "Authorization: t\r\nContent-Length: 60000\r\n", std::string(60'000, 'x'));
    }
    client.send(request + behind); // pipelined
    CHECK(without_date(client.receive_answer().bytes()) == own_404());
    CHECK(without_date(client.receive_answer().bytes()) == own_404());
    CHECK(backend.untouched());
    CHECK(gated(upload(busy)) == own_404());
}

TEST_CASE_FIXTURE(fixture, "a body that comes behind the 404 is drained") {
    client.send(upload(busy, "Authorization: t\r\nContent-Length: 10\r\n", ""));
    CHECK(without_date(client.receive_answer().bytes()) == own_404());
    client.send("0123456789");
    CHECK(gated(upload(busy)) == own_404());
}

TEST_CASE_FIXTURE(fixture, "a large body ends the connection after the answer, which arrives whole") {
    std::string framing;
    SUBCASE("with a length") { framing = "Content-Length: 100000000\r\n"; }
    SUBCASE("in chunks") { framing = "Transfer-Encoding: chunked\r\n"; }
    client.send(upload(busy, "Authorization: t\r\n" + framing, ""));
    std::string piece(100'000, 'x');
    if (framing.starts_with("T")) piece = "186a0\r\n" + piece + "\r\n";
    for (int i = 0; i < 10 && client.try_send(piece); ++i) {
    }
    const auto answer = client.receive_answer();
    CHECK(status_of(answer.head) == 404);
    CHECK(answer.body == body_404);
    client.receive_rest();
    CHECK(client.ended() != ending::none);
    CHECK(backend.untouched());
}

TEST_CASE_FIXTURE(fixture, "Expect: 100-continue gets the 404 at once") {
    const std::string expecting = "Authorization: t\r\nExpect: 100-continue\r\n";
    SUBCASE("and the connection ends, for nobody can tell whether the body will follow") {
        std::string framing;
        SUBCASE("a small one") { framing = "Content-Length: 2\r\n"; }
        SUBCASE("a large one") { framing = "Content-Length: 100000000\r\n"; }
        SUBCASE("in chunks") { framing = "Transfer-Encoding: chunked\r\n"; }
        SUBCASE("among other expectations") { framing = "Expect: a, b=c\r\nContent-Length: 2\r\n"; }
        client.send(upload(busy, expecting + framing, ""));
        CHECK(without_date(client.receive_answer().bytes()) == own_404("Connection: close\r\n"));
        client.end_writing();
        CHECK(client.receive_rest().empty());
    }
    SUBCASE("and ends though the body is there already: how the bytes come must not matter") {
        client.send(upload(busy, expecting + "Content-Length: 2\r\n") + upload(busy));
        CHECK(without_date(client.receive_answer().bytes()) == own_404("Connection: close\r\n"));
        CHECK(client.receive_rest().empty());
    }
    SUBCASE("behind another request") {
        const auto get = std::string("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
        client.send(get + upload(busy, expecting + "Content-Length: 2\r\n", ""));
        auto up = backend.accept();
        CHECK(up.receive_head() == get);
        up.send(created);
        CHECK(client.receive(created.size()) == created);
        CHECK(without_date(client.receive_answer().bytes()) == own_404("Connection: close\r\n"));
    }
    SUBCASE("but the backend's word if the project is ready") {
        const auto request = upload(idle, expecting + "Content-Length: 2\r\n", "");
        client.send(request);
        auto up = backend.accept();
        CHECK(up.receive(request.size()) == request);
        const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
        up.send(interim);
        CHECK(client.receive(interim.size()) == interim);
        client.send("{}");
        CHECK(up.receive(2) == "{}");
        up.send(created);
        CHECK(client.receive(created.size()) == created);
        return;
    }
    CHECK(backend.untouched());
}

TEST_CASE_FIXTURE(fixture, "gated requests among others keep their place") {
    const auto get = std::string("GET /x HTTP/1.1\r\nHost: a\r\n\r\n");
    client.send(get + upload(busy) + get + upload(busy));
    auto up = backend.accept();
    for (int i = 0; i < 2; ++i) {
        CHECK(up.receive_head() == get);
        up.send(created);
        CHECK(client.receive(created.size()) == created);
        CHECK(without_date(client.receive_answer().bytes()) == own_404());
    }
}

TEST_CASE_FIXTURE(fixture, "a client that closes or speaks HTTP/1.0 gets the 404 its way") {
    SUBCASE("Connection: close") {
        client.send(upload(busy, "Authorization: t\r\nConnection: close\r\nContent-Length: 2\r\n"));
        CHECK(without_date(client.receive_rest()) == own_404("Connection: close\r\n"));
    }
    SUBCASE("HTTP/1.0") {
        client.send("POST /api/v1/projects/" + busy +
                    "/uploads HTTP/1.0\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n");
        CHECK(without_date(client.receive_rest()) == own_404("Connection: close\r\n"));
    }
    SUBCASE("HTTP/1.0 keep-alive") {
        CHECK(gated("POST /api/v1/projects/" + busy +
                    "/uploads HTTP/1.0\r\nAuthorization: t\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n") ==
              own_404("Connection: keep-alive\r\n"));
        CHECK(gated(upload(busy)) == own_404());
    }
}

TEST_CASE_FIXTURE(fixture, "a browser may read the 404") {
    const auto answer = gated(upload(busy, "Authorization: t\r\nOrigin: https://portal\r\nContent-Length: 2\r\n"));
    CHECK(field_of(answer, "Access-Control-Allow-Origin") == "*");
    CHECK(lower(field_of(answer, "Access-Control-Expose-Headers").value_or("")) == "x-total, x-page");
    CHECK(count_of(gated(upload(busy)), "Access-Control-Allow-Origin") == 0); // no origin, no need
}

TEST_CASE("CORS by a list of origins, more own headers, and another Retry-After") {
    scripted_backend backend;
    status_endpoint status{document};
    sidecar_under_test proxy(backend, status, [](config& c) {
        c.own_answers.cors_allow_origins = {"https://portal", "https://other"};
        c.own_answers.headers = {{"X-Own", "yes"}};
        c.own_answers.retry_after = std::chrono::seconds(7);
    });
    const auto from = [&](const std::string& origin) {
        return proxy.ask(upload(busy, "Authorization: t\r\nOrigin: " + origin + "\r\nContent-Length: 2\r\n")).head;
    };
    const auto known = from("https://other");
    CHECK(field_of(known, "Access-Control-Allow-Origin") == "https://other");
    CHECK(field_of(known, "Vary") == "Origin");
    CHECK(field_of(known, "X-Own") == "yes");
    CHECK(field_of(known, "Retry-After") == "7");
    const auto stranger = from("https://evil");
    CHECK(count_of(stranger, "Access-Control-Allow-Origin") == 0);
    CHECK(field_of(stranger, "Vary") == "Origin");
}

TEST_CASE_FIXTURE(fixture, "errors of our own can be read by a browser too") {
    backend.refuse();
    const auto answer = proxy.ask("GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://portal\r\n\r\n");
    CHECK(status_of(answer.head) == 503);
    CHECK(field_of(answer.head, "Access-Control-Allow-Origin") == "*");
}

TEST_CASE("the status path is not for clients") {
    answering_backend backend{[](std::string_view request) {
        return answer_with(request.starts_with("GET /internal/consistency ") ? document : std::string("passed"));
    }};
    bool expose = false;
    SUBCASE("unless it is exposed") { expose = true; }
    SUBCASE("") {}
    sidecar_under_test proxy(backend, [&](config& c) {
        c.status.url = "http://127.0.0.1:" + std::to_string(backend.port()) + "/internal/consistency";
        c.status.expose = expose;
    });
    const auto answer = proxy.ask("GET /internal/consistency HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(status_of(answer.head) == (expose ? 200 : 404));
    CHECK((answer.body == document) == expose);
    if (!expose) CHECK(status_of(proxy.ask("GET //internal/%63onsistency/ HTTP/1.1\r\nHost: a\r\n\r\n").head) == 404);
    if (!expose)
        CHECK(status_of(proxy.ask("GET http://a/internal/consistency HTTP/1.1\r\nHost: a\r\n\r\n").head) == 404);
    CHECK(proxy.ask("GET /internal HTTP/1.1\r\nHost: a\r\n\r\n").body == "passed");
}

} // namespace gate_test
