// The admin listener: what it answers as a function, and how it stands what is sent to its socket.
#include "proxy/control_plane/admin.hpp"
#include "proxy/control_plane/admin_access.hpp"
#include "proxy/control_plane/name_lookup.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/wire.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/standings.hpp"

#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace admin_test {

using namespace sidecar;
using namespace sidecar::testing;
using namespace std::chrono_literals;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

struct asked : made_standing {
    std::string not_ready, not_alive;
    std::vector<std::string> hosts;
    std::atomic<int> drains{0};
    admin_source source{[this] { return not_ready; }, [this] { return now; }, [this] { return not_alive; },
                        [this] { return &hosts; }, [this] { ++drains; }};

    admin_answer get(std::string_view target) const { return answer_admin("GET", target, source); }
};

const std::string project = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";

// The listener on its thread.
struct listening : asked {
    boost::asio::io_context io;
    readable_log log;
    std::optional<admin> at;
    std::thread thread;

    explicit listening(admin::limits limits = {}, std::vector<std::string> names = {}) {
        hosts = std::move(names);
        at.emplace(io, endpoint{"127.0.0.1", 0}, source, log.log, limits);
        thread = std::thread([this] { io.run(); });
    }
    ~listening() {
        boost::asio::post(io, [this] { at.reset(); });
        thread.join();
    }
    listening(const listening&) = delete;
    listening& operator=(const listening&) = delete;

    harness::wire connect() const { return harness::wire::connect(at->port()); }
    harness::message ask(const std::string& head) const {
        auto client = connect();
        client.send(head + "\r\n\r\n");
        return client.receive_answer();
    }
};

TEST_CASE("/livez fails where a worker hangs, and for nothing else; /readyz says why not") {
    asked sidecar;
    sidecar.not_alive = "a worker has not turned for 12 s";
    CHECK(sidecar.get("/livez").status == 503);
    CHECK(sidecar.get("/livez").body == "a worker has not turned for 12 s\n");
    sidecar.not_alive = "";
    sidecar.not_ready = "draining";
    CHECK(sidecar.get("/livez").status == 200);
    CHECK(sidecar.get("/readyz").status == 503);
    CHECK(sidecar.get("/readyz").body == "draining\n");
    sidecar.not_ready = "";
    CHECK(sidecar.get("/readyz").status == 200);
    CHECK(sidecar.get("/readyz?verbose").status == 200);
    sidecar.not_alive = "worker 1 has not turned for 12 s";
    CHECK(sidecar.get("/livez").status == 503);
    CHECK(sidecar.get("/livez").body == "worker 1 has not turned for 12 s\n");
}

TEST_CASE("it answers to addresses, to localhost and to names it is given, so that no page's name leads to it") {
    const std::vector<std::string> names{"sidecar.example", "Pod-1"};
    for (const char* own : {"127.0.0.1", "127.0.0.1:9090", "10.1.2.3:80", "[::1]", "[::1]:9090", "localhost",
                            "LOCALHOST:1", "sidecar.example", "Sidecar.Example:9090", "pod-1"})
        CHECK_MESSAGE(names_admin(own, names), own);
    for (const char* other :
         {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "127.1", "2130706433", "[::1",
          "[::1]x", "[evil]", "[127.0.0.1]", "sidecar.example.", "sidecar", ":80", "1.2.3.4.5"})
        CHECK_MESSAGE(!names_admin(other, names), other);
}

TEST_CASE("a Host that is another's is 421, whatever is asked for; one that is missing or twice there is 400") {
    const listening sidecar({}, {"sidecar.example"});
    for (const char* path : {"/livez", "/config", "/", "/drain", "/nothing"})
        CHECK(harness::status_of(sidecar.ask("GET " + std::string(path) + " HTTP/1.1\r\nHost: evil.example").head) ==
              421);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1\r\nHost: sidecar.example:1").head) == 200);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1\r\nHost: localhost").head) == 200);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1\r\nX: y").head) == 400);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil").head) == 400);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.0").head) == 200);
    CHECK(sidecar.drains == 0);
}

TEST_CASE("a drain is ordered by POST, from this machine, with the field that no page can send") {
    const listening sidecar;
    const std::string host = "Host: localhost\r\nContent-Length: 0\r\n";
    const auto status_of = [&sidecar](const std::string& head) { return harness::status_of(sidecar.ask(head).head); };
    CHECK(status_of("GET /drain HTTP/1.1\r\n" + host + "X-Sidecar-Command: drain") == 405);
    CHECK(status_of("OPTIONS /drain HTTP/1.1\r\n" + host + "Access-Control-Request-Headers: x-sidecar-command") == 405);
    CHECK(status_of("POST /drain HTTP/1.1\r\n" + host + "Origin: http://localhost") == 403);
    CHECK(status_of("POST /drain HTTP/1.1\r\n" + host + "X-Sidecar-Command: stop") == 403);
    CHECK(sidecar.drains == 0);
    CHECK(status_of("POST /drain HTTP/1.1\r\n" + host + "X-Sidecar-Command: drain") == 202);
    CHECK(sidecar.drains == 1);
}

TEST_CASE("who is on another machine can't order a drain") {
    const auto from = [](const char* peer, const char* own) {
        return drain_refusal({"drain", literal_address({peer, 1}).front(), literal_address({own, 9090}).front()});
    };
    CHECK_FALSE(from("127.0.0.1", "127.0.0.1"));
    CHECK_FALSE(from("127.8.0.1", "127.0.0.1"));
    CHECK_FALSE(from("::1", "::1"));
    CHECK_FALSE(from("::ffff:127.0.0.1", "::ffff:127.0.0.1"));
    CHECK_FALSE(from("10.1.2.3", "10.1.2.3")); // the pod's own address
    CHECK_FALSE(from("fd00::1", "fd00::1"));
    CHECK(from("10.1.2.4", "10.1.2.3"));
    CHECK(from("fd00::2", "fd00::1"));
    CHECK(from("::ffff:10.0.0.1", "::ffff:10.0.0.2"));
    CHECK(from("10.1.2.3", "::ffff:10.1.2.3"));                          // in doubt not
    CHECK(drain_refusal({"drain", socket_address{}, socket_address{}})); // nor who has gone
    CHECK(drain_refusal({"", literal_address({"::1", 1}).front(), literal_address({"::1", 2}).front()}));
}

TEST_CASE("only GET and HEAD, only the paths there are") {
    const asked sidecar;
    for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "get"}) {
        const auto answer = answer_admin(method, "/livez", sidecar.source);
        CHECK(answer.status == 405);
        CHECK(answer.fields.front() == std::pair<std::string, std::string>("Allow", "GET, HEAD"));
    }
    CHECK(sidecar.get("/nothing").status == 404);
    CHECK(sidecar.get("/livez/").status == 404);
    CHECK(sidecar.get("").status == 404);
}

TEST_CASE("/readiness lists what is not ready, and looks an id up") {
    asked sidecar;
    CHECK(contains(sidecar.get("/readiness").body, R"("fresh":false,"age_seconds":null)"));
    sidecar.polled(one_of_each);
    const auto all = sidecar.get("/readiness");
    CHECK(all.content_type == "application/json");
    CHECK(contains(all.body, R"("fresh":true,"age_seconds":0.25,)"));
    CHECK(
        contains(all.body, R"({"name":"projects","listed":1,"not_ready":{"is_upload_ready":1,"is_download_ready":0})"));
    CHECK(contains(
        all.body,
        R"({"collection":"projects","id":")" + project +
            R"(","is_upload_ready":"not_ready","is_download_ready":"ready","listed":true,"learned":false,"not_ready_seconds":)"));
    CHECK(contains(all.body, "777be35a-98e0-4c2e-9a17-7bc009f9b111"));

    sidecar.now.now += 3min;
    sidecar.polled(one_of_each);
    const auto one = sidecar.get("/readiness?id=CA29F7DF-33CA-46DD-A015-92C46FDB6FD1").body;
    CHECK(contains(one, R"("is_upload_ready":"not_ready")"));
    CHECK(contains(one, R"("learned":false,"not_ready_seconds":181)")); // a document says so to the second
    CHECK(contains(one, R"({"collection":"files","id":")" + project +
                            R"(","is_download_ready":"ready","listed":false,"learned":false})"));
    CHECK(sidecar.get("/readiness?id=../../etc").status == 400);
    CHECK(sidecar.get("/readiness?id=").status == 400);
}

TEST_CASE("/readiness is bounded") {
    asked sidecar;
    std::string document = R"({"projects":[)";
    for (int i = 0; i < 3000; ++i) {
        char entry[128];
        std::snprintf(entry, sizeof entry, R"(%s{"id":"%08x-0000-4000-8000-000000000000","is_upload_ready":false})",
                      i ? "," : "", i);
        document += entry;
    }
    sidecar.polled(document + "]}");
    const auto listed = [&](const char* target) {
        const auto body = sidecar.get(target).body;
        std::size_t n = 0;
        for (auto at = body.find("\"id\""); at != std::string::npos; at = body.find("\"id\"", at + 1)) ++n;
        return n;
    };
    CHECK(listed("/readiness") == 100);
    CHECK(listed("/readiness?limit=7") == 7);
    CHECK(listed("/readiness?limit=1000000") == 1000);
    CHECK(listed("/readiness?limit=-1") == 100);
}

TEST_CASE("what has been learned is listed, first and once") {
    asked sidecar;
    sidecar.polled(one_of_each);
    auto known = *sidecar.now.known;
    learned lessons;
    learned_entry lesson{0, *parse_uuid(project), {}, sidecar.now.now};
    lesson.members.set(0, state::not_ready);
    lesson.members.set(1, state::not_ready);
    lessons.entries = {lesson, lesson};
    known.recent = std::make_shared<const learned>(lessons);
    sidecar.now.known = std::make_shared<const readiness>(known);
    const auto body = sidecar.get("/readiness").body;
    const auto first = body.find(project);
    CHECK(contains(body, R"("learned":2)"));
    CHECK(body.find(project, first + 1) == std::string::npos);
    CHECK(contains(body.substr(first), R"("is_download_ready":"not_ready","listed":true,"learned":true)"));
}

TEST_CASE("what was learned is no longer told as learned when a poll has overtaken it") {
    asked sidecar;
    sidecar.polled(one_of_each);
    auto known = *sidecar.now.known;
    learned_entry lesson{0, *parse_uuid(project), {}, known.asked_at};
    lesson.members.set(0, state::not_ready);
    const auto told = [&] {
        known.recent = std::make_shared<const learned>(learned{{lesson}});
        sidecar.now.known = std::make_shared<const readiness>(known);
        const auto body = sidecar.get("/readiness?id=" + project).body;
        const bool is_learned = contains(body, R"("listed":true,"learned":true)");
        CHECK(contains(body, is_learned ? R"("learned":1,)" : R"("learned":0,)"));
        CHECK(contains(sidecar.get("/metrics").body, is_learned ? "\nsidecar_readiness_learned_entries 1\n"
                                                                : "\nsidecar_readiness_learned_entries 0\n"));
        return is_learned;
    };
    CHECK(told());
    lesson.at -= 1ms; // before the poll was sent
    CHECK_FALSE(told());
}

TEST_CASE("/config shows what is in force, and no secret") {
    asked sidecar;
    config values;
    values.status.headers = {{"X-Token", "s3cret-value", ""}};
    sidecar.now.current = make_settings(values, {});
    const auto answer = sidecar.get("/config");
    CHECK(contains(answer.body, "X-Token"));
    CHECK_FALSE(contains(answer.body, "s3cret-value"));
    CHECK_FALSE(contains(sidecar.get("/").body, "s3cret-value"));
}

TEST_CASE("the page is whole as it is served, and escapes what is put in") {
    asked sidecar;
    config values;
    values.rules.rules[0].name = "<script>alert(1)</script>";
    values.upstream.address.host = "a\"b'c&d";
    sidecar.now.current = make_settings(values, {});
    sidecar.polled(one_of_each);
    sidecar.now.poll.failed = poll_failure::redirect;
    sidecar.now.poll.failure = "a redirect to '<b>'";
    sidecar.now.reload_failure = "sidecar.yaml:1:1: unknown key '<i>'";
    sidecar.now.pod = "dds-<u>";
    sidecar.first.connections_accepted.add(1234567);
    sidecar.first.failed_last.note({}, "<M>", "/<P>", failure_reason::no_response, 502, std::chrono::seconds(2));
    sidecar.observe();
    const auto answer = sidecar.get("/");
    CHECK(answer.content_type == "text/html; charset=utf-8");
    CHECK(contains(answer.body, "1\u202f234\u202f567"));
    CHECK(contains(answer.body, project));
    CHECK(contains(answer.body, "&lt;script&gt;alert(1)&lt;/script&gt;"));
    for (const char* raw : {"<script>alert", "<b>'", "'<i>'", "<u>", "<M>", "<P>"}) {
        CAPTURE(raw);
        CHECK_FALSE(contains(answer.body, raw));
    }
    CHECK(contains(answer.body, "<b>502</b> &lt;M&gt; /&lt;P&gt;"));
    CHECK(contains(answer.body, "a&quot;b&#39;c&amp;d"));
    CHECK_FALSE(contains(answer.body, "{{"));
}

TEST_CASE("the page's search: what was asked for comes back escaped") {
    asked sidecar;
    sidecar.polled(one_of_each);
    sidecar.now.now += 3min;
    sidecar.polled(one_of_each);
    const auto found = sidecar.get("/?id=" + project).body;
    CHECK(contains(found, "What requests are told of <span class=\"id\">" + project));
    CHECK(contains(found.substr(found.find("What requests are told of")), "not ready for 3 min"));
    const auto hostile = sidecar.get("/?id=\"><script>x</script>").body;
    CHECK(contains(hostile, "&quot;&gt;&lt;script&gt;x"));
    CHECK_FALSE(contains(hostile, "<script>x"));
    CHECK(contains(hostile, "is no id"));
}

TEST_CASE("the page needs nothing from elsewhere, and its policy lets nothing else run") {
    const asked sidecar;
    const auto answer = sidecar.get("/");
    for (const char* elsewhere : {"src=", "href=\"http", "href=\"/", "url(", "@import", "<iframe", "<object"})
        CHECK_FALSE(contains(answer.body, elsewhere));
    std::string policy;
    for (const auto& [name, value] : answer.fields)
        if (name == "Content-Security-Policy") policy = value;
    CHECK(contains(policy, "default-src 'none'"));
    const auto nonce_at = policy.find("'nonce-");
    REQUIRE(nonce_at != std::string::npos);
    const auto nonce = policy.substr(nonce_at + 7, 32);
    CHECK(contains(answer.body, "<script nonce=\"" + nonce + "\">"));
    CHECK_FALSE(contains(sidecar.get("/").body, nonce)); // another one each time
}

TEST_CASE("the page and /status say the same, the worst first") {
    asked sidecar;
    const auto says = [&](const std::string& what) {
        sidecar.observe();
        const auto status = sidecar.get("/status").body;
        CAPTURE(status);
        CHECK(status.starts_with(what));
        CHECK(contains(sidecar.get("/").body, "data-state=\"" + status.substr(0, status.find(':')) + "\""));
    };
    says("degraded: readiness is unknown for "); // no poll has succeeded, for longer than max_age
    sidecar.polled(one_of_each);
    sidecar.pass(std::chrono::seconds(4));
    says("ok: no requests just now, readiness is ");
    sidecar.pass(std::chrono::minutes(1));
    says("degraded: readiness is unknown for ");
    sidecar.now.not_ready = "the listener is not open yet";
    says("starting: the listener is not open yet");
    sidecar.now.not_ready = "draining";
    sidecar.now.draining = true;
    says("draining: ");
    CHECK(sidecar.get("/status").content_type == "text/plain; charset=utf-8");
}

TEST_CASE("/status has a line for each part of the path") {
    asked sidecar;
    sidecar.polled(one_of_each);
    sidecar.observe();
    const auto status = sidecar.get("/status").body;
    CAPTURE(status);
    for (const char* part : {"\nclients    ok ", "\nsidecar    ok ", "\nbackend    ok ", "\nreadiness  ok ", "\nthis "})
        CHECK(contains(status, part));
    CHECK(contains(status, "1 of 1 listed projects, 1 of 1 listed files not ready"));
}

TEST_CASE("over its socket: keep-alive, HEAD without a body, and fields that keep caches and sniffers out") {
    listening sidecar;
    auto client = sidecar.connect();
    for (int i = 0; i < 3; ++i) {
        client.send("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const auto answer = client.receive_answer();
        CHECK(harness::status_of(answer.head) == 200);
        CHECK(answer.body == "alive\n");
        CHECK(harness::field_of(answer.head, "Cache-Control") == "no-store");
        CHECK(harness::field_of(answer.head, "X-Content-Type-Options") == "nosniff");
    }
    client.send("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    const auto head = client.receive_head();
    CHECK(harness::status_of(head) == 200);
    CHECK(std::stoul(*harness::field_of(head, "Content-Length")) > 10'000);
    CHECK(client.receive_rest().empty());
}

TEST_CASE("over its socket: HTTP/1.0, a body nobody reads, what is no HTTP, too long a head") {
    listening sidecar;
    CHECK(harness::status_of(sidecar.ask("GET /readyz HTTP/1.0").head) == 200);
    CHECK(harness::status_of(sidecar.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5").head) == 405);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1 x").head) == 400);
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1\r\nX: " + std::string(20'000, 'x')).head) == 431);
}

TEST_CASE("who says nothing is let go; idle connections keep no probe out") {
    listening sidecar({.connections = 4, .timeout = std::chrono::milliseconds(300)});
    auto silent = sidecar.connect();
    CHECK(silent.receive_rest().empty());
    std::vector<harness::wire> idle;
    for (int i = 0; i < 20; ++i) idle.push_back(sidecar.connect());
    CHECK(harness::status_of(sidecar.ask("GET /livez HTTP/1.1\r\nHost: localhost").head) == 200);
}

TEST_CASE("an address that is taken is named") {
    const listening sidecar;
    boost::asio::io_context io;
    readable_log log;
    const endpoint taken{"127.0.0.1", sidecar.at->port()};
    CHECK_THROWS_WITH_AS(admin(io, taken, sidecar.source, log.log, {}),
                         doctest::Contains(std::to_string(taken.port).c_str()), std::runtime_error);
}

} // namespace admin_test
