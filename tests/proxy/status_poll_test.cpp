// The status poll against a server that answers by a script: every row of docs/behaviour.md 7.
#include "proxy/control_plane/listeners.hpp"
#include "proxy/control_plane/status_poll.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/scripted_http.hpp"

#include <boost/asio/steady_timer.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ctime>
#include <optional>
#include <thread>

namespace status_poll_test {

using namespace sidecar;
using namespace sidecar::testing;

const auto known_id = *parse_uuid("ca29f7df-33ca-46dd-a015-92c46fdb6fd1");
const auto other_id = *parse_uuid("777be35a-98e0-4c2e-9a17-7bc009f9b111");

const schema needs{{{"projects", {"is_upload_ready", "is_download_ready"}}, {"files", {"is_download_ready"}}}};

std::string document(bool upload_ready = false) {
    return std::string(R"({"projects":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_upload_ready":)") +
           (upload_ready ? "true" : "false") + R"(,"is_download_ready":false}],"files":[]})";
}

// Fast enough for a test; no jitter, so that times can be counted on.
status_config quick(const std::string& url) {
    status_config values;
    values.url = url;
    values.interval = 40ms;
    values.jitter = 0;
    values.timeout = 2s;
    values.backoff_max = 80ms;
    values.wait = 0ms;
    return values;
}

struct polling {
    boost::asio::io_context io;
    readable_log log;
    control_metrics metrics;
    readiness_board board;
    status_poll poll;

    explicit polling(std::chrono::nanoseconds starting_time = std::chrono::minutes(1))
        : poll(io, board, log.log, metrics, starting_time) {}

    void start(const status_config& values) {
        board.configure(needs, values.max_age, values.unlisted_means);
        poll.start(values, needs);
    }
    bool until(const std::function<bool()>& happened) { return run_until(io, happened); }
    bool until_good() {
        return until([&] { return metrics.polls_ok.get() > 0; });
    }
    bool until_failed(std::size_t times = 1) {
        return until([&] { return metrics.polls_failed.get() >= times; });
    }
    std::uint64_t failed_by(poll_failure why) const {
        return metrics.polls_failed_by[static_cast<std::size_t>(why)].get();
    }
    state upload_ready(const uuid& id = known_id) const {
        return board.published().get()->look_up(0, 0, id, std::chrono::steady_clock::now());
    }
};

// A server that says the same each time, and what the poll makes of it.
struct failing : polling {
    scripted_http server;
    explicit failing(const scripted_http::answer& always) : server([always](const std::string&) { return always; }) {
        start(quick(server.url()));
        REQUIRE(until_failed());
    }
    const std::string& reason() const { return poll.report().failure; }
};

// Of this thread: what others do on a busy machine does not count.
std::chrono::nanoseconds cpu_time() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

TEST_CASE("a poll publishes what the document says, whole") {
    scripted_http server([](const std::string&) { return json(document()); });
    polling sidecar;
    CHECK(sidecar.upload_ready() == state::unknown);
    sidecar.start(quick(server.url("/internal/consistency?full=1")));
    REQUIRE(sidecar.until_good());
    CHECK(sidecar.upload_ready() == state::not_ready);
    CHECK(sidecar.upload_ready(other_id) == state::ready); // unlisted
    const auto head = server.requests().front();
    CHECK(contains(head, "GET /internal/consistency?full=1 HTTP/1.1\r\nHost: 127.0.0.1:"));
    CHECK(field(head, "Accept-Encoding") == "identity");
    const auto& report = sidecar.poll.report();
    CHECK(report.tried);
    REQUIRE(report.collections.size() == 2);
    CHECK(report.collections[0].listed == 1);
    CHECK(report.collections[0].not_ready[0] == std::pair<std::string, std::size_t>("is_upload_ready", 1));
}

TEST_CASE("that nobody is there yet is no error; that nobody comes is one, and so is what is wrong with somebody") {
    const auto log_of = [](std::chrono::nanoseconds starting_time, const std::string& url) {
        polling sidecar(starting_time);
        sidecar.start(quick(url));
        REQUIRE(sidecar.until_failed(3));
        CHECK(wait_until([&] { return sidecar.log.count("status poll failed") == 1; }));
        return sidecar.log.text();
    };
    const std::string nobody = "http://127.0.0.1:1/";
    CHECK(contains(log_of(1h, nobody), R"("level":"info","msg":"status poll failed")"));
    CHECK(contains(log_of(0s, nobody), R"("level":"error","msg":"status poll failed")"));
    const scripted_http server([](const std::string&) { return status(500); });
    CHECK(contains(log_of(1h, server.url()), R"("level":"error","msg":"status poll failed")"));
}

TEST_CASE("once it has been there, that nobody is there is an error") {
    std::optional<scripted_http> server(std::in_place, [](const std::string&) { return json(document()); });
    polling sidecar;
    sidecar.start(quick(server->url()));
    REQUIRE(sidecar.until_good());
    server.reset();
    REQUIRE(sidecar.until_failed());
    CHECK(wait_until([&] { return contains(sidecar.log.text(), R"("level":"error","msg":"status poll failed")"); }));
}

TEST_CASE("a poll through a Unix socket: the URL gives Host and path") {
    const temporary_directory place;
    const auto path = (place.path / "up.sock").string();
    listen_config where;
    where.address.path = path;
    listeners at(where, 1);
    const int listening = at.take(0);
    ::fcntl(listening, F_SETFL, 0); // blocking
    std::string head;
    std::thread server([&] {
        const int client = ::accept(listening, nullptr, nullptr);
        char bytes[4096];
        while (head.find("\r\n\r\n") == std::string::npos) {
            const auto got = ::read(client, bytes, sizeof bytes);
            if (got <= 0) break;
            head.append(bytes, static_cast<std::size_t>(got));
        }
        const auto answer = json(document()).bytes;
        CHECK(::write(client, answer.data(), answer.size()) == static_cast<ssize_t>(answer.size()));
        ::close(client);
    });
    polling sidecar;
    auto values = quick("http://status.invalid:81/internal/consistency"); // which is not looked up
    values.socket = path;
    sidecar.start(values);
    CHECK(sidecar.until_good());
    server.join();
    ::close(listening);
    CHECK(head.starts_with("GET /internal/consistency HTTP/1.1\r\nHost: status.invalid:81\r\n"));
    CHECK(sidecar.upload_ready() == state::not_ready);
}

TEST_CASE("polls go on, one connection for all of them") {
    scripted_http server([](const std::string&) { return json(document()); });
    polling sidecar;
    sidecar.start(quick(server.url()));
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_ok.get() >= 5; }));
    CHECK(server.connections_count() == 1);
}

TEST_CASE("a 304 renews the snapshot") {
    scripted_http server([](const std::string& head) {
        return field(head, "If-None-Match") == "W/\"v1\"" ? status(304) : json(document(), "W/\"v1\"");
    });
    polling sidecar;
    sidecar.start(quick(server.url()));
    REQUIRE(sidecar.until_good());
    const auto before = sidecar.board.published().get()->answered_at;
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_not_modified.get() >= 2; }));
    CHECK(sidecar.board.published().get()->answered_at > before);
    CHECK(sidecar.upload_ready() == state::not_ready);
    CHECK(sidecar.metrics.polls_ok.get() == 1);
    CHECK(server.connections_count() == 1);
}

TEST_CASE("a changed document takes the place of the one before") {
    std::atomic<bool> ready{false};
    scripted_http server([&](const std::string&) { return json(document(ready), ready ? "\"2\"" : "\"1\""); });
    polling sidecar;
    sidecar.start(quick(server.url()));
    REQUIRE(sidecar.until_good());
    ready = true;
    CHECK(sidecar.until([&] { return sidecar.upload_ready() == state::ready; }));
}

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

TEST_CASE("a failure is logged once, not at every poll; its end as well") {
    std::atomic<int> code{500};
    scripted_http server([&](const std::string&) { return code == 200 ? json(document()) : status(code); });
    polling sidecar;
    sidecar.start(quick(server.url()));
    REQUIRE(sidecar.until_failed(4));
    CHECK(wait_until(
        [&] { return sidecar.log.count(R"("status poll failed","kind":"status","reason":"answer 500)") == 1; }));
    code = 503;
    REQUIRE(sidecar.until_failed(8));
    CHECK(wait_until(
        [&] { return sidecar.log.count(R"("status poll failed","kind":"status","reason":"answer 503)") == 1; }));
    CHECK(sidecar.log.count(R"("status poll failed","kind":"status","reason":"answer 500)") == 1);
    code = 200;
    REQUIRE(sidecar.until_good());
    CHECK(wait_until([&] { return sidecar.log.count("succeeds again") == 1; }));
}

TEST_CASE("after a restart of the backend the poll goes on by itself, the snapshot between is kept") {
    polling sidecar;
    std::uint16_t port = 0;
    {
        scripted_http before([](const std::string&) { return json(document()); });
        port = before.port();
        sidecar.start(quick(before.url()));
        REQUIRE(sidecar.until_good());
    }
    REQUIRE(sidecar.until_failed(2));
    CHECK(sidecar.upload_ready() == state::not_ready);
    const scripted_http after([](const std::string&) { return json(document(true)); }, port);
    CHECK(sidecar.until([&] { return sidecar.upload_ready() == state::ready; }));
    CHECK(sidecar.poll.report().failures == 0);
}

TEST_CASE("a kept connection that the backend has closed costs no poll") {
    scripted_http server([](const std::string&) {
        auto said = json(document());
        said.then_close = true; // without saying so
        return said;
    });
    polling sidecar;
    sidecar.start(quick(server.url()));
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_ok.get() >= 4; }));
    CHECK(sidecar.metrics.polls_failed.get() == 0);
}

TEST_CASE("a snapshot that is not renewed says nothing after status.max_age") {
    std::atomic<bool> broken{false};
    scripted_http server([&](const std::string&) { return broken ? status(500) : json(document()); });
    polling sidecar;
    auto values = quick(server.url());
    values.max_age = 300ms;
    sidecar.start(values);
    REQUIRE(sidecar.until_good());
    broken = true;
    CHECK(sidecar.until([&] { return sidecar.upload_ready() == state::unknown; }));
    CHECK(sidecar.until([&] { return sidecar.log.count("readiness is unknown") == 1; }));
    broken = false;
    CHECK(sidecar.until([&] { return sidecar.upload_ready() == state::not_ready; }));
}

TEST_CASE("headers go along; a secret is read again for each poll and appears in no log") {
    const temporary_directory place;
    const auto secret = place.path / "token";
    write_file(secret, "first-secret\n");
    scripted_http server([](const std::string&) { return json(document()); });
    polling sidecar;
    auto values = quick(server.url());
    values.headers = {{"X-Forwarded-Proto", "https", ""},
                      {"X-Token", "", secret},
                      {"User-Agent", "me", ""},
                      {"Host", "dds.example", ""}};
    sidecar.start(values);
    REQUIRE(sidecar.until_good());
    CHECK(field(server.requests().front(), "X-Forwarded-Proto") == "https");
    CHECK(field(server.requests().front(), "User-Agent") == "me");
    CHECK(field(server.requests().front(), "Host") == "dds.example");
    CHECK(contains(server.requests().front(), "HTTP/1.1\r\nUser-Agent")); // no other Host before it
    CHECK(field(server.requests().front(), "X-Token") == "first-secret");
    write_file(secret, "second-secret");
    CHECK(sidecar.until([&] { return field(server.requests().back(), "X-Token") == "second-secret"; }));

    SUBCASE("one that is gone fails the poll, and it recovers") {
        std::filesystem::remove(secret);
        REQUIRE(sidecar.until([&] { return sidecar.failed_by(poll_failure::secret) > 0; }));
        CHECK(contains(sidecar.poll.report().failure, "X-Token"));
        write_file(secret, "third");
        CHECK(sidecar.until([&] { return field(server.requests().back(), "X-Token") == "third"; }));
    }
    SUBCASE("one that would be two fields is not sent") {
        write_file(secret, "fourth-secret\r\nX-Admin: 1");
        REQUIRE(sidecar.until([&] { return sidecar.failed_by(poll_failure::secret) > 0; }));
    }
    CHECK_FALSE(contains(sidecar.log.text(), "-secret"));
}

TEST_CASE("a start with another schema forgets the entity tag, for the document has to be read anew") {
    scripted_http server([](const std::string& head) {
        return field(head, "If-None-Match").empty() ? json(document(), "\"v1\"") : status(304);
    });
    polling sidecar;
    sidecar.start(quick(server.url()));
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_not_modified.get() > 0; }));
    const schema other{{{"projects", {"is_download_ready"}}}};
    sidecar.board.configure(other, 30s, unlisted::ready);
    sidecar.poll.start(quick(server.url()), other);
    REQUIRE(sidecar.until([&] { return sidecar.metrics.polls_ok.get() == 2; }));
    CHECK(sidecar.upload_ready() == state::not_ready); // is_download_ready, by the other schema
}

TEST_CASE("a start to another URL ends the poll under way") {
    scripted_http silent([](const std::string&) -> scripted_http::answer { return {}; });
    scripted_http server([](const std::string&) { return json(document()); });
    polling sidecar;
    auto values = quick(silent.url());
    values.timeout = 60s;
    sidecar.start(values);
    REQUIRE(sidecar.until([&] { return silent.requests_count() == 1; }));
    sidecar.start(quick(server.url()));
    CHECK(sidecar.until_good());
    CHECK(sidecar.metrics.polls_failed.get() == 0);
}

TEST_CASE("while a large document is parsed the control thread goes on") {
    std::string large = R"({"projects":[)";
    for (int i = 0; i < 200'000; ++i) {
        char entry[128];
        std::snprintf(entry, sizeof entry, R"(%s{"id":"%08x-0000-4000-8000-000000000000","is_upload_ready":false})",
                      i ? "," : "", i);
        large += entry;
    }
    large += "]}";
    scripted_http server([&](const std::string&) { return json(large); });
    polling sidecar;
    auto values = quick(server.url());
    values.timeout = 20s;
    const auto parse_begins = cpu_time();
    REQUIRE(read_status(large, needs).has_value());
    const auto parsing = cpu_time() - parse_begins;

    std::chrono::nanoseconds longest_busy{0}; // the control thread, from one beat to the next
    auto before = cpu_time();
    boost::asio::steady_timer beat(sidecar.io);
    std::function<void()> go_on = [&] {
        beat.expires_after(1ms);
        beat.async_wait([&](boost::system::error_code ec) {
            if (ec) return;
            const auto now = cpu_time();
            longest_busy = std::max(longest_busy, now - before);
            before = now;
            go_on();
        });
    };
    go_on();
    sidecar.start(values);
    REQUIRE(sidecar.until_good());
    CHECK(longest_busy < std::max<std::chrono::nanoseconds>(parsing / 2, 50ms));
    CHECK(sidecar.poll.report().collections[0].listed == 200'000);
    CHECK(sidecar.poll.report().collections[0].not_ready[0].second == 200'000);
}

} // namespace status_poll_test
