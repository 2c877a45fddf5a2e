// Augmented answers (docs/behaviour.md 4), to the byte, through a running sidecar: the member is in, and every header
// is true.
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace augment_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string target = "/api/v1/projects/" + id + "?info";
const std::string project = R"({"id":")" + id + R"(","name":"n" , "x":1.0e+00})";
const std::string info = R"(,"info":{"resource_consistency":{"is_upload_ready":true,"is_download_ready":false}})";
const std::string augmented = project.substr(0, project.size() - 1) + info + "}";
const std::string json = "Content-Type: application/json\r\n";

std::string document(bool upload_ready) {
    return R"({"projects":[{"id":")" + id + R"(","is_upload_ready":)" + (upload_ready ? "true" : "false") +
           R"(,"is_download_ready":false}],"files":[{"id":")" + id + R"(","is_download_ready":false}]})";
}

std::string get(const std::string& lines = "", const std::string& where = target, const std::string& method = "GET") {
    return method + " " + where + " HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n";
}
std::string ok(const std::string& lines, const std::string& body = project) {
    return "HTTP/1.1 200 OK\r\n" + lines + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string ok_chunked(const std::string& lines, const std::string& body, const std::string& trailer = "") {
    auto chunks = chunked(body, 7);
    return "HTTP/1.1 200 OK\r\n" + lines + "Transfer-Encoding: chunked\r\n\r\n" + chunks.substr(0, chunks.size() - 2) +
           trailer + "\r\n";
}

struct fixture {
    scripted_backend backend;
    status_endpoint status{document(true)};
    sidecar_under_test proxy{backend, status, [](config& c) {
                                 c.rules.augment_body_max = 100'000;
                                 c.upstream.idle_connections_max = 0;
                             }};
    std::string forwarded; // the head that the backend got
    ending ended = ending::none;

    // What the client gets when the backend says that.
    std::string through(const std::string& answer, const std::string& request = get(), bool closes = false) {
        auto client = proxy.connect();
        client.send(request);
        auto up = backend.accept();
        forwarded = up.receive_head();
        up.send(answer);
        if (closes) up.close();
        const auto kind = request.starts_with("HEAD") ? wire::kind::answer_to_head : wire::kind::answer;
        return client.receive_message(kind).bytes();
    }
    void check_passes(const std::string& answer, const std::string& request = get()) {
        CHECK(shown(through(answer, request)) == shown(answer));
    }
};

TEST_CASE_FIXTURE(fixture, "the member goes in, and nothing else changes but the length") {
    CHECK(through(ok(json + "X-A: b\r\nSet-Cookie: c\r\n")) == ok(json + "X-A: b\r\nSet-Cookie: c\r\n", augmented));
    CHECK(through(ok("content-type: application/vnd.api+json; charset=utf-8\r\n")) ==
          ok("content-type: application/vnd.api+json; charset=utf-8\r\n", augmented));
    CHECK(through(ok(json, "{}")) == ok(json, "{" + info.substr(1) + "}"));
    CHECK(through(ok(json, "\n{ }\n")) == ok(json, "\n{ " + info.substr(1) + "}\n"));
}

TEST_CASE_FIXTURE(fixture, "a file's url gets its one member") {
    const std::string body = R"({"url":"/a}","host":"h"})";
    const auto answer = through(ok(json, body), get("", "/api/v1/files/" + id + "/url?x&%69nfo=1"));
    CHECK(answer ==
          ok(json, R"({"url":"/a}","host":"h","info":{"resource_consistency":{"is_download_ready":false}}})"));
}

TEST_CASE_FIXTURE(fixture, "in every framing of the backend's") {
    SUBCASE("chunks become a length") { CHECK(through(ok_chunked(json, project)) == ok(json, augmented)); }
    SUBCASE("chunks with trailers stay chunks") {
        const auto answer = through(
            ok_chunked(json + "Trailer: X-A, Digest\r\n", project, "X-A: b\r\nDigest: d\r\nContent-MD5: e\r\n"));
        const auto head_end = answer.find("\r\n\r\n") + 4;
        CHECK(field_of(answer, "Transfer-Encoding") == "chunked");
        CHECK(count_of(answer, "Content-Length") == 0);
        CHECK(unchunked(answer.substr(head_end)) == augmented);
        CHECK(answer.ends_with("\r\n0\r\nX-A: b\r\n\r\n"));
    }
    SUBCASE("until the end becomes a length") {
        const auto answer = through("HTTP/1.1 200 OK\r\n" + json + "\r\n" + project, get(), true);
        CHECK(field_of(answer, "Content-Length") == std::to_string(augmented.size()));
        CHECK(answer.ends_with("\r\n\r\n" + augmented));
    }
    SUBCASE("HTTP/1.0") {
        const auto answer = through("HTTP/1.0 200 OK\r\n" + json + "\r\n" + project, get(), true);
        CHECK(answer.starts_with("HTTP/1.1 200 OK\r\n"));
        CHECK(answer.ends_with("\r\n\r\n" + augmented));
    }
    SUBCASE("chunks for an HTTP/1.0 client") {
        const auto answer =
            through(ok_chunked(json, project, "X-A: b\r\n"), "GET " + target + " HTTP/1.0\r\nHost: a\r\n\r\n");
        CHECK(answer == "HTTP/1.1 200 OK\r\n" + json + "Content-Length: " + std::to_string(augmented.size()) +
                            "\r\nConnection: close\r\n\r\n" + augmented);
    }
    SUBCASE("behind interim answers") {
        auto client = proxy.connect();
        client.send(get());
        auto up = backend.accept();
        up.receive_head();
        const std::string hints = "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n";
        up.send(hints + ok(json));
        CHECK(client.receive(hints.size()) == hints);
        CHECK(client.receive_answer().bytes() == ok(json, augmented));
    }
}

TEST_CASE_FIXTURE(fixture, "an answer that comes byte by byte is augmented all the same") {
    for (const auto& answer : {ok(json), ok_chunked(json, project)}) {
        auto client = proxy.connect();
        client.send(get());
        auto up = backend.accept();
        up.receive_head();
        up.send_bytewise(answer);
        CHECK(client.receive_answer().body == augmented);
    }
}

TEST_CASE_FIXTURE(fixture, "the backend is asked for the whole, unencoded representation, without conditions") {
    through(ok(json),
            get("A: b\r\nAccept-Encoding: gzip, br\r\nRange: bytes=0-1\r\nIf-Range: \"x\"\r\nIf-None-Match: \"x\"\r\n"
                "If-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\nAccept: */*\r\n"));
    CHECK(forwarded ==
          "GET " + target + " HTTP/1.1\r\nHost: a\r\nA: b\r\nAccept: */*\r\nAccept-Encoding: identity\r\n\r\n");
    const auto plain = get("Accept-Encoding: gzip\r\nRange: bytes=0-1\r\nIf-None-Match: \"x\"\r\n",
                           "/api/v1/projects/" + id + "?information");
    check_passes(ok(json), plain);
    CHECK(forwarded == plain); // a request that no rule selects keeps them
}

TEST_CASE_FIXTURE(fixture, "what is untrue of the new representation goes") {
    const auto answer = through(
        ok(json + "Last-Modified: Sat, 29 Oct 1994 19:43:31 GMT\r\nContent-MD5: x\r\nDigest: y\r\nContent-Digest: z\r\n"
                  "Repr-Digest: z\r\nAccept-Ranges: bytes\r\nVary: Origin\r\nCache-Control: no-cache\r\n"));
    CHECK(answer == ok(json + "Vary: Origin\r\nCache-Control: no-cache\r\n", augmented));
}

TEST_CASE_FIXTURE(fixture, "the ETag covers the backend's and the readiness, and If-None-Match is answered here") {
    const auto etag_for = [&](const std::string& backends) {
        return field_of(through(ok(json + "ETag: " + backends + "\r\n")), "ETag").value_or("");
    };
    const auto strong = etag_for("\"one\"");
    CHECK(strong.starts_with("\""));
    CHECK(strong != "\"one\"");
    CHECK(etag_for("\"one\"") == strong);
    CHECK(etag_for("\"two\"") != strong);
    CHECK(etag_for("W/\"one\"").starts_with("W/\""));
    CHECK(count_of(through(ok(json)), "ETag") == 0); // none made up

    const auto asked_with = [&](const std::string& if_none_match) {
        return through(ok(json + "X-A: b\r\nETag: \"one\"\r\nCache-Control: private\r\nLast-Modified: x\r\n"),
                       get("If-None-Match: " + if_none_match + "\r\n"));
    };
    for (const auto& matching : {strong, "W/" + strong, "\"x\", " + strong, std::string("*")}) {
        const auto answer = asked_with(matching);
        CHECK(answer.starts_with("HTTP/1.1 304 "));
        CHECK(field_of(answer, "ETag") == strong);
        CHECK(field_of(answer, "Cache-Control") == "private");
        CHECK(answer.ends_with("\r\n\r\n"));
        CHECK(count_of(forwarded, "If-None-Match") == 0);
    }
    CHECK(status_of(asked_with("\"one\"")) == 200); // the backend's own is another representation's
    status.publish(document(false));
    CHECK(status_of(asked_with(strong)) == 200);
    CHECK(etag_for("\"one\"") != strong);
    status.publish(document(true));
    CHECK(status_of(asked_with(strong)) == 304);
}

TEST_CASE_FIXTURE(fixture, "a 304 of our own carries what a cache must have, and nothing of the body") {
    const std::string kept = "Date: Sat, 29 Oct 1994 19:43:31 GMT\r\nExpires: 0\r\nVary: Origin\r\nCache-Control: "
                             "private\r\nContent-Location: /p\r\nAccess-Control-Allow-Origin: *\r\n";
    const std::string untrue = "Last-Modified: x\r\nContent-MD5: x\r\nAccept-Ranges: bytes\r\n";
    for (const std::string tag : {"\"one\"", "W/\"one\""}) {
        const auto lines = json + untrue + kept + "ETag: " + tag + "\r\n";
        const auto ours = "ETag: " + field_of(through(ok(lines)), "ETag").value_or("") + "\r\n";
        const auto asked = get("If-None-Match: " + ours.substr(6));
        for (const auto& answer : {ok(lines), ok_chunked(lines, project, "X-A: b\r\n")})
            CHECK(through(answer, asked) == "HTTP/1.1 304 Not Modified\r\n" + kept + ours + "\r\n");
        CHECK(through("HTTP/1.1 200 OK\r\n" + lines + "\r\n" + project, asked, true) ==
              "HTTP/1.1 304 Not Modified\r\n" + kept + ours + "\r\n");
    }
}

TEST_CASE_FIXTURE(fixture, "after a 304 of our own the connection is in step") {
    auto client = proxy.connect();
    client.send(get("If-None-Match: *\r\n") + get("", "/next"));
    auto up = backend.accept();
    up.receive_head();
    up.send(ok(json + "ETag: \"x\"\r\n"));
    CHECK(status_of(client.receive_answer().head) == 304);
    backend.await_request(up);
    CHECK(up.receive_head() == get("", "/next"));
    up.send(ok(json));
    CHECK(client.receive_answer().bytes() == ok(json));
}

TEST_CASE_FIXTURE(fixture, "HEAD loses what would be untrue of the GET's answer") {
    const auto head = get("If-None-Match: \"x\"\r\nAccept-Encoding: gzip\r\n", target, "HEAD");
    const auto answer = through(
        "HTTP/1.1 200 OK\r\n" + json + "Content-Length: 50\r\nETag: \"x\"\r\nLast-Modified: y\r\nX-A: b\r\n\r\n", head);
    CHECK(answer == "HTTP/1.1 200 OK\r\n" + json + "X-A: b\r\n\r\n");
    CHECK(count_of(forwarded, "If-None-Match") == 0);
}

TEST_CASE_FIXTURE(fixture, "what is no JSON object passes as it came") {
    SUBCASE("another status") {
        for (const std::string line : {"201 Created", "202 Accepted", "203 Other", "404 Not Found", "500 Error"})
            check_passes("HTTP/1.1 " + line + "\r\n" + json + "ETag: \"x\"\r\nContent-Length: 2\r\n\r\n{}");
        check_passes("HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n");
        // A part, though the whole was asked for; and a 304 to a question that had no condition.
        check_passes("HTTP/1.1 206 Partial Content\r\n" + json +
                         "Content-Range: bytes 0-1/9\r\nETag: \"x\"\r\nContent-Length: 2\r\n\r\n{}",
                     get("Range: bytes=0-1\r\n"));
        check_passes("HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n", get("If-None-Match: \"x\"\r\n"));
    }
    SUBCASE("another type") {
        for (const std::string type :
             {"text/html", "text/json", "application/jsonp", "application/json-seq", "application/xml"})
            check_passes(ok("Content-Type: " + type + "\r\n"));
        check_passes(ok(""));
    }
    SUBCASE("a coding, although not asked for") {
        check_passes(ok(json + "Content-Encoding: gzip\r\nETag: \"x\"\r\n", std::string("\x1f\x8b\x08\0\0", 5)));
    }
    SUBCASE("no JSON, or no object") {
        for (const std::string body : {"", "[]", "[{}]", "1", "\"{}\"", "null", "{", "{}}", "{\"a\":tru}", "{\"a\":1,}",
                                       "{'a':1}", "{\"a\":01}", "{} x", "{\"a\":\"\x01\"}", "{\"a\":\"\xff\"}"})
            check_passes(ok(json + "ETag: \"x\"\r\nLast-Modified: y\r\nAccept-Ranges: bytes\r\n", body));
        check_passes(ok_chunked(json + "Trailer: X-A\r\n", "[1,2,3,4,5,6,7,8,9]", "X-A: b\r\n"));
    }
    SUBCASE("an info of the backend's own") {
        for (const std::string own : {R"({"info":{"resource_consistency":{}}})", R"({"info":null})", R"({"info":[1]})",
                                      R"({"info":"x","a":1})"})
            check_passes(ok(json, own));
        CHECK(through(ok(json, R"({"info":{"a":1},"b":2})")) ==
              ok(json, R"({"info":{"a":1,)" + info.substr(9) + R"(,"b":2})"));
    }
}

TEST_CASE("a backend that compresses although asked not to is counted, and logged once") {
    const auto zipped = answer_with("zipped", "200 OK", json + "Content-Encoding: gzip\r\nETag: \"x\"\r\n");
    answering_backend backend{zipped};
    status_endpoint status{document(true)};
    sidecar_under_test proxy(backend, status, [](config& c) { c.admin.address = sidecar::endpoint{"127.0.0.1", 0}; });
    for (int i = 0; i < 3; ++i) CHECK(proxy.ask(get("Accept-Encoding: gzip\r\n")).bytes() == zipped);
    for (const auto& request : backend.requests()) CHECK(field_of(request, "Accept-Encoding") == "identity");
    auto until = std::chrono::steady_clock::now() + patience;
    auto operators = wire::connect(proxy.admin_port());
    std::string metrics; // counted once the answer has gone
    while (metrics.find("sidecar_augment_outcomes_total{outcome=\"encoded\"} 3\n") == std::string::npos) {
        REQUIRE(std::chrono::steady_clock::now() < until);
        operators.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        metrics = operators.receive_answer().body;
    }
    proxy.drain();
    proxy.await_end();
    until = std::chrono::steady_clock::now() + patience;
    std::string log;
    while (log.find("\"stopped\"") == std::string::npos && std::chrono::steady_clock::now() < until) // its last line
        log = proxy.log_lines();
    std::size_t told = 0;
    for (auto at = log.find("compresses"); at != std::string::npos; at = log.find("compresses", at + 1)) ++told;
    CHECK(told == 1);
}

TEST_CASE_FIXTURE(fixture, "a body too large passes as it came, streaming") {
    const std::string large = R"({"a":")" + std::string(200'000, 'x') + R"("})";
    check_passes(ok(json + "ETag: \"x\"\r\n", large));
    check_passes(ok_chunked(json, large, "X-A: b\r\n"));
    CHECK(shown(through("HTTP/1.1 200 OK\r\n" + json + "\r\n" + large, get(), true)) ==
          shown("HTTP/1.1 200 OK\r\n" + json + "Connection: close\r\n\r\n" + large));
    const auto fits = [](std::size_t size) { return R"({"a":")" + std::string(size - 8, 'x') + R"("})"; };
    CHECK(through(ok(json, fits(100'000))).ends_with(info + "}"));
    check_passes(ok(json, fits(100'001)));
}

TEST_CASE_FIXTURE(fixture, "half an answer becomes no whole one") {
    auto client = proxy.connect();
    client.send(get());
    auto up = backend.accept();
    up.receive_head();
    SUBCASE("with a length") { up.send("HTTP/1.1 200 OK\r\n" + json + "Content-Length: 100\r\n\r\n{}"); }
    SUBCASE("in chunks") { up.send("HTTP/1.1 200 OK\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n"); }
    up.close();
    const auto answer = client.receive_answer();
    CHECK(status_of(answer.head) == 502);
    CHECK(answer.body.find("info") == std::string::npos);
}

TEST_CASE("an unknown readiness leaves info out, or says what the rule says") {
    scripted_backend backend;
    auto unknown = sidecar::unknown_augment::omit;
    std::string expected = project;
    SUBCASE("omit") {}
    SUBCASE("ready") {
        unknown = sidecar::unknown_augment::ready;
        expected = project.substr(0, project.size() - 1) +
                   R"(,"info":{"resource_consistency":{"is_upload_ready":true,"is_download_ready":true}}})";
    }
    SUBCASE("not_ready") {
        unknown = sidecar::unknown_augment::not_ready;
        expected = project.substr(0, project.size() - 1) +
                   R"(,"info":{"resource_consistency":{"is_upload_ready":false,"is_download_ready":false}}})";
    }
    sidecar_under_test proxy(backend, [&](config& c) {
        for (auto& rule : c.rules.rules)
            if (auto* augment = std::get_if<sidecar::augment_rule>(&rule.action)) augment->unknown = unknown;
    });
    auto client = proxy.connect();
    client.send(get("Accept-Encoding: gzip\r\n"));
    auto up = backend.accept();
    up.receive_head();
    up.send(ok(json + "ETag: \"x\"\r\n"));
    const auto answer = client.receive_answer();
    CHECK(answer.body == expected);
    CHECK((field_of(answer.head, "ETag") == "\"x\"") == (unknown == sidecar::unknown_augment::omit));
}

TEST_CASE_FIXTURE(fixture, "requests that no rule selects are not touched") {
    for (const std::string& where :
         {std::string("/api/v1/projects/") + id, "/api/v1/projects/" + id + "?Info",
          "/api/v1/projects/" + id + "?information", "/api/v1/projects/" + id + "?info[]",
          std::string("/api/v1/projects/x?info"), "/api/v1/Projects/" + id + "?info",
          "/api/v2/projects/" + id + "?info", "/projects/" + id + "?info", "/api/v1/projects/" + id + "/children?info"})
        check_passes(ok(json + "ETag: \"x\"\r\n"), get("Accept-Encoding: gzip\r\n", where));
}

} // namespace augment_test
