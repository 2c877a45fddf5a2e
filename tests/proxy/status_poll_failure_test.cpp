// How a status poll fails: every row of docs/behaviour.md 7, against a server that answers by a script.
#include "proxy/control_plane/status_request.hpp"
#include "tests/proxy/polling.hpp"
#include "tests/proxy/scripted_http.hpp"

#include <doctest/doctest.h>

namespace status_poll_failure_test {

using namespace sidecar;
using namespace sidecar::testing;

// A server that says the same each time, and what the poll makes of it.
struct failing : polling {
    scripted_http server;
    explicit failing(const scripted_http::answer& always) : server([always](const std::string&) { return always; }) {
        start(quick(server.url()));
        REQUIRE(until_failed());
    }
    const std::string& reason() const { return poll.report().failure; }
};

TEST_CASE("a redirect is a failure that names where to; one to https says what helps") {
    failing sidecar(status(301, "Location: https://dds.example/internal/consistency\r\n"));
    CHECK(sidecar.failed_by(poll_failure::redirect) >= 1);
    CHECK(contains(sidecar.reason(), "https://dds.example/internal/consistency"));
    CHECK(contains(sidecar.reason(), "X-Forwarded-Proto: https"));
    CHECK(wait_until([&] { return contains(sidecar.log.text(), "X-Forwarded-Proto: https"); }));
}

TEST_CASE("another redirect says nothing of X-Forwarded-Proto") {
    failing sidecar(status(302, "Location: /login\r\n"));
    CHECK(sidecar.failed_by(poll_failure::redirect) >= 1);
    CHECK(contains(sidecar.reason(), "/login"));
    CHECK_FALSE(contains(sidecar.reason(), "X-Forwarded-Proto"));
}

TEST_CASE("of where a redirect leads, a query, a fragment and user information are not told: they may be secrets") {
    const auto told = [](const std::string& location) {
        http_answer answer;
        answer.status = 301;
        answer.location = location;
        return why_not_a_document(answer).value().message;
    };
    const std::string before = "answer 301, a redirect to '", here = before + "https://dds.example/c'";
    CHECK(told("https://dds.example/c?key=s3cret").starts_with(here));
    CHECK(told("https://dds.example/c#s3cret").starts_with(here));
    CHECK(told("https://user:s3cret@dds.example/c?a@b").starts_with(here));
    CHECK(told("https://a@s3cret@dds.example/c").starts_with(here));
    CHECK(told("https://user:s3cret@dds.example").starts_with(before + "https://dds.example'"));
    CHECK(told("//user:s3cret@dds.example/c") == before + "//dds.example/c'");
    CHECK(told("/login?key=s3cret") == before + "/login'");
    CHECK(told("/a//b@c:d//e@f") == before + "/a//b@c:d//e@f'"); // a path's
    CHECK(told("?s3cret") == before + "'");
    CHECK(told("") == before + "'");
}

TEST_CASE("an answer other than 200 fails, by its status") {
    for (const int code : {201, 204, 400, 401, 403, 404, 500, 503}) {
        failing sidecar(status(code));
        CHECK(sidecar.failed_by(poll_failure::status) >= 1);
        CHECK(contains(sidecar.reason(), std::to_string(code)));
    }
}

TEST_CASE("a 304 that nobody asked for fails") {
    failing sidecar(status(304));
    CHECK(sidecar.failed_by(poll_failure::status) >= 1);
}

TEST_CASE("another media type, or none, fails; parameters and +json do not") {
    for (const char* type : {"Content-Type: text/html\r\n", "Content-Type: application/jsonx\r\n", ""}) {
        failing sidecar({std::string("HTTP/1.1 200 OK\r\n") + type + "Content-Length: 2\r\n\r\n{}"});
        CHECK(sidecar.failed_by(poll_failure::media_type) >= 1);
    }
    for (const char* type : {"application/json; charset=utf-8", "application/vnd.dds+json"}) {
        scripted_http server([type](const std::string&) -> scripted_http::answer {
            return {std::string("HTTP/1.1 200 OK\r\nContent-Type: ") + type + "\r\nContent-Length: 2\r\n\r\n{}"};
        });
        polling sidecar;
        sidecar.start(quick(server.url()));
        CHECK(sidecar.until_good());
    }
}

TEST_CASE("an encoded body that was not asked for fails") {
    failing sidecar(json("{}", "", "Content-Encoding: gzip\r\n"));
    CHECK(sidecar.failed_by(poll_failure::media_type) >= 1);
}

TEST_CASE("malformed documents and wrong types fail, and say what was wrong") {
    for (const char* body : {"", "{", "[]", "null", R"({"projects":{}})", R"({"projects":[1]})", R"({"projects":[{}]})",
                             R"({"projects":[{"id":7}]})", R"({"projects":[{"id":"not-a-uuid"}]})",
                             R"({"projects":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_upload_ready":"no"}]})",
                             R"({"projects":[]} x)"}) {
        CAPTURE(body);
        failing sidecar(json(body));
        CHECK(sidecar.failed_by(poll_failure::bad_document) >= 1);
        CHECK(contains(sidecar.reason(), "status document"));
    }
}

TEST_CASE("a document cut short at any byte fails, and the last good one stays") {
    const auto whole = document();
    std::atomic<std::size_t> bytes{whole.size()};
    scripted_http server([&](const std::string&) { return json(whole.substr(0, bytes)); });
    polling sidecar;
    auto values = quick(server.url());
    values.interval = values.backoff_max = 2ms;
    sidecar.start(values);
    REQUIRE(sidecar.until_good());
    for (bytes = 0; bytes < whole.size(); ++bytes) {
        const auto failed = sidecar.metrics.polls_failed.get();
        REQUIRE(sidecar.until_failed(failed + 2)); // the first may have been sent with the length before
    }
    CHECK(sidecar.metrics.polls_failed.get() >= whole.size());
    CHECK(sidecar.upload_ready() == state::not_ready);
}

TEST_CASE("a document above the limit fails, whichever way its length is told") {
    const std::string large = R"({"projects":[],"x":")" + std::string(5000, 'x') + "\"}";
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const scripted_http::answer answers[] = {
        json(large), {head + "Transfer-Encoding: chunked\r\n\r\n1400\r\n" + large}, {head + "\r\n" + large, true}};
    for (const auto& each : answers) {
        scripted_http server([&](const std::string&) { return each; });
        polling sidecar;
        auto values = quick(server.url());
        values.document_bytes_max = 4096;
        sidecar.start(values);
        REQUIRE(sidecar.until_failed());
        CHECK(sidecar.failed_by(poll_failure::too_large) >= 1);
    }
}

TEST_CASE("framing without an end is not gathered: what is neither head nor document is bounded, too") {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (const auto& endless : {"2;" + std::string(4 << 20, 'x'), "2\r\n{}\r\n0\r\nX: " + std::string(4 << 20, 'x')}) {
        failing sidecar({head + endless});
        CHECK(sidecar.failed_by(poll_failure::bad_http) >= 1);
    }
}

TEST_CASE("chunked documents and those that end with the connection are read") {
    const std::string head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const scripted_http::answer answers[] = {
        {head + "Transfer-Encoding: chunked\r\n\r\n2;x=y\r\n{}\r\n0\r\nTrailer-Field: 1\r\n\r\n"},
        {head + "\r\n{}", true},
        {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" + head + "Content-Length: 2\r\n\r\n{}"}};
    for (const auto& each : answers) {
        scripted_http server([&](const std::string&) { return each; });
        polling sidecar;
        sidecar.start(quick(server.url()));
        CHECK(sidecar.until([&] { return sidecar.metrics.polls_ok.get() >= 2; }));
        CHECK(sidecar.metrics.polls_failed.get() == 0);
    }
}

TEST_CASE("what is no HTTP, or too long a head, fails") {
    for (const auto& said : {std::string("SSH-2.0-OpenSSH_9.2\r\n\r\n"),
                             "HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n"}) {
        failing sidecar({said, true});
        CHECK(sidecar.failed_by(poll_failure::bad_http) >= 1);
    }
}

TEST_CASE("a backend that closes, or closes within its answer, fails the poll") {
    for (const auto& said :
         {std::string(),
          std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")}) {
        failing sidecar({said, true});
        CHECK(sidecar.failed_by(poll_failure::closed) >= 1);
    }
}

TEST_CASE("a slow backend fails at status.timeout, in the head and in the body") {
    for (const auto& said :
         {std::string(),
          std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")}) {
        scripted_http server([&](const std::string&) -> scripted_http::answer { return {said}; });
        polling sidecar;
        auto values = quick(server.url());
        values.timeout = 100ms;
        sidecar.start(values);
        REQUIRE(sidecar.until_failed());
        CHECK(sidecar.failed_by(poll_failure::timeout) >= 1);
    }
}

TEST_CASE("nobody listening, and a name that does not exist, are told apart") {
    std::uint16_t unused = 0;
    {
        scripted_http gone([](const std::string&) { return status(200); });
        unused = gone.port();
    }
    polling refused;
    refused.start(quick("http://127.0.0.1:" + std::to_string(unused) + "/"));
    REQUIRE(refused.until_failed());
    CHECK(refused.failed_by(poll_failure::connect) >= 1);
    polling unresolved;
    unresolved.start(quick("http://no-such-host.invalid/"));
    REQUIRE(unresolved.until_failed());
    CHECK((unresolved.failed_by(poll_failure::name) >= 1 || unresolved.failed_by(poll_failure::timeout) >= 1));
}

} // namespace status_poll_failure_test
