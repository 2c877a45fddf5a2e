// The status poll against a server that answers by a script: what of docs/behaviour.md 7 is no failure.
#include "proxy/control_plane/listeners.hpp"
#include "tests/proxy/polling.hpp"
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

// Of this thread: what others do on a busy machine does not count.
std::chrono::nanoseconds cpu_time() {
    timespec used{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

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
