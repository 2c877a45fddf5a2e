// The whole in one process: start, readiness, reload, drain, as the admin listener shows them.
#include "proxy/config/load_config.hpp"
#include "sidecar/server.hpp"
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/status_endpoint.hpp"
#include "tests/harness/wire.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/scripted_http.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <unistd.h>

#include <future>
#include <mutex>

namespace server_test {

using namespace sidecar;
using namespace sidecar::testing;
using steady = std::chrono::steady_clock;

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

config quick(std::uint16_t backend, const std::string& status_url) {
    config values;
    values.listen.address = {"127.0.0.1", 0};
    values.admin.address = endpoint{"127.0.0.1", 0};
    values.workers = 2;
    values.upstream.address = {"127.0.0.1", backend};
    values.upstream.connect_retry = 200ms;
    values.status.url = status_url;
    values.status.interval = 20ms;
    values.status.timeout = 60s; // tests hold polls back
    values.drain.accept_for = 0ms;
    return values;
}

std::string answer(const std::string& body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

// A server on its thread. `next` is what a reload reads.
struct served {
    readable_log log;
    std::mutex mutex;
    result<config> next = failure{"nothing to read"};
    std::optional<server> at;
    std::future<void> running;

    explicit served(const config& values) {
        at.emplace(values, log.log, [this] {
            std::lock_guard lock(mutex);
            return next;
        });
    }
    ~served() {
        at->stop();
        if (running.valid()) running.wait();
    }
    served(const served&) = delete;
    served& operator=(const served&) = delete;

    served& run() {
        running = std::async(std::launch::async, [this] { at->run(); });
        return *this;
    }
    void reload(result<config> read) {
        {
            std::lock_guard lock(mutex);
            next = std::move(read);
        }
        at->request_reload();
    }

    static harness::message ask(std::uint16_t port, const std::string& target) {
        auto client = harness::wire::connect(port);
        client.send("GET " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        return client.receive_answer();
    }
    std::string get(const std::string& target = "/") const { return ask(at->port(), target).body; }
    int status(const std::string& target) const { return harness::status_of(ask(at->port(), target).head); }
    harness::message admin(const std::string& target) const { return ask(at->admin_port(), target); }
    int admin_status(const std::string& target) const { return harness::status_of(admin(target).head); }
    bool until_ready() const {
        return wait_until([this] { return admin_status("/readyz") == 200; });
    }
    bool until_metric(const std::string& line) const {
        return wait_until([&] { return contains(admin("/metrics").body, "\n" + line + "\n"); });
    }
    bool has_ended() const { return running.wait_for(0s) == std::future_status::ready; }
};

struct backends {
    harness::answering_backend api{[](std::string_view) { return answer("first"); }};
    harness::status_endpoint status;
    config values() const { return quick(api.port(), status.url()); }
};

TEST_CASE("it serves, and what passes shows in the metrics") {
    const backends to;
    served sidecar(to.values());
    sidecar.run();
    REQUIRE(sidecar.until_ready());
    for (int i = 0; i < 5; ++i) CHECK(sidecar.get() == "first");
    CHECK(sidecar.until_metric(R"(sidecar_requests_total{rule="none",action="forward",code="2xx"} 5)"));
    CHECK(sidecar.until_metric("sidecar_workers 2"));
    CHECK(sidecar.until_metric("sidecar_config_last_reload_successful 1"));
    CHECK(contains(sidecar.admin("/").body, "Healthy"));
    CHECK(contains(sidecar.admin("/config").body, "upstream:"));
}

TEST_CASE("it is ready when a poll has been tried, whatever came of it") {
    const backends to;
    std::atomic<bool> may_answer{false};
    scripted_http* self = nullptr;
    scripted_http slow([&](const std::string&) {
        wait_until([&] { return may_answer || self->stopping(); });
        return status(500);
    });
    self = &slow;
    served sidecar(quick(to.api.port(), slow.url()));
    sidecar.run();
    CHECK(sidecar.admin_status("/livez") == 200);
    CHECK(sidecar.admin("/readyz").body == "the first status poll has not been tried yet\n");
    CHECK(sidecar.get() == "first"); // it serves all the same
    may_answer = true;
    CHECK(sidecar.until_ready());
}

TEST_CASE("it starts without a backend, and without its name") {
    auto values = quick(1, "http://no-such-host.invalid/");
    values.upstream.address = {"no-such-host.invalid", 80};
    values.status.timeout = 100ms;
    served sidecar(values);
    sidecar.run();
    CHECK(sidecar.until_ready());
    CHECK(sidecar.status("/x") == 503);
    CHECK(wait_until([&] { return sidecar.log.count("upstream.address does not resolve") == 1; }));
    CHECK(wait_until([&] { return contains(sidecar.log.text(), R"("host":"no-such-host.invalid")"); }));
}

TEST_CASE("a backend and a status endpoint by name") {
    const backends to;
    auto values = to.values();
    values.upstream.address.host = "localhost";
    values.status.url.replace(values.status.url.find("127.0.0.1"), 9, "localhost");
    served sidecar(values);
    sidecar.run();
    CHECK(sidecar.get() == "first");
    CHECK(sidecar.until_metric("sidecar_readiness_fresh 1"));
}

TEST_CASE("the status endpoint on the clients' own backend is not for clients") {
    const harness::answering_backend both([](std::string_view) {
        return std::string("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
    });
    served sidecar(quick(both.port(), "http://localhost:" + std::to_string(both.port()) + "/internal/consistency"));
    sidecar.run();
    CHECK(sidecar.until_metric("sidecar_readiness_fresh 1"));
    CHECK(sidecar.status("/internal/consistency") == 404);
    CHECK(sidecar.status("/internal/other") == 200);
}

TEST_CASE("an address where somebody listens already is an error that names it") {
    const backends to;
    served first(to.values());
    auto values = to.values();
    values.listen.address.port = first.at->port();
    try {
        const served second(values);
        FAIL("two on one port");
    } catch (const std::runtime_error& e) {
        CHECK(contains(e.what(), "listen.address 127.0.0.1:" + std::to_string(first.at->port())));
    }
    values = to.values();
    values.admin.address->port = first.at->admin_port();
    CHECK_THROWS_AS(served{values}, std::runtime_error);
    values = to.values();
    values.listen.address.host = "no-such-host.invalid";
    CHECK_THROWS_AS(served{values}, std::runtime_error);
}

TEST_CASE("it need not be run, and stop() may come before run()") {
    const backends to;
    { const served never_run(to.values()); }
    served sidecar(to.values());
    sidecar.at->stop();
    sidecar.run();
    CHECK(wait_until([&] { return sidecar.has_ended(); }));
}

TEST_CASE("a reload takes effect for the next request") {
    const backends to;
    const harness::answering_backend other([](std::string_view) { return answer("second"); });
    served sidecar(to.values());
    sidecar.run();
    CHECK(sidecar.get() == "first");
    auto changed = to.values();
    changed.upstream.address.port = other.port();
    sidecar.reload(changed);
    CHECK(wait_until([&] { return sidecar.get() == "second"; }));
    CHECK(sidecar.until_metric(R"(sidecar_config_reloads_total{outcome="ok"} 1)"));
}

TEST_CASE("a reload that fails keeps what was, and says so in log, metric and page until one succeeds") {
    const backends to;
    served sidecar(to.values());
    sidecar.run();
    REQUIRE(sidecar.until_ready());
    sidecar.reload(failure{"sidecar.yaml:12:3: unknown key 'timeot'"});
    CHECK(sidecar.until_metric("sidecar_config_last_reload_successful 0"));
    CHECK(sidecar.until_metric(R"(sidecar_config_reloads_total{outcome="failed"} 1)"));
    CHECK(sidecar.get() == "first");
    CHECK(sidecar.admin_status("/readyz") == 200);
    CHECK(contains(sidecar.admin("/").body, "sidecar.yaml:12:3: unknown key &#39;timeot&#39;"));
    CHECK(wait_until([&] { return sidecar.log.count("\"msg\":\"reload failed") == 1; }));
    sidecar.reload(to.values());
    CHECK(sidecar.until_metric("sidecar_config_last_reload_successful 1"));
    CHECK(wait_until([&] { return !contains(sidecar.admin("/status").body, "timeot"); }));
}

TEST_CASE("a reload that fails is told of, also while a good one before it still waits for names") {
    const backends to;
    const harness::answering_backend other([](std::string_view) { return answer("second"); });
    auto changed = to.values();
    changed.upstream.address.port = other.port();
    readable_log log;
    int read = 0; // the control thread's
    server at(to.values(), log.log, [&]() -> result<config> {
        if (++read > 1) return failure{"sidecar.yaml:12:3: unknown key 'timeot'"};
        at.request_reload(); // comes before any name is answered
        return changed;
    });
    auto running = std::async(std::launch::async, [&] { at.run(); });
    at.request_reload();
    CHECK(wait_until([&] { return log.count("\"msg\":\"reloaded\"") == 1; }));
    CHECK(log.text().find("reload failed") < log.text().find("\"reloaded\""));
    CHECK(served::ask(at.port(), "/").body == "second"); // the good one is in force
    CHECK(contains(served::ask(at.admin_port(), "/metrics").body, "\nsidecar_config_last_reload_successful 0\n"));
    CHECK(contains(served::ask(at.admin_port(), "/").body, "unknown key &#39;timeot&#39;"));
    at.stop();
    running.wait();
}

TEST_CASE("a reload that there is no memory for costs no signal behind it") {
    const backends to;
    readable_log log;
    std::atomic<int> read{0};
    server at(to.values(), log.log, [&]() -> result<config> {
        if (++read == 1) throw std::bad_alloc();
        return failure{"nothing to read"};
    });
    at.handle_signals();
    auto running = std::async(std::launch::async, [&] { at.run(); });
    for (const int wanted : {1, 2}) {
        ::kill(::getpid(), SIGHUP);
        CHECK(wait_until([&] { return read == wanted; }));
    }
    ::kill(::getpid(), SIGTERM);
    const bool ends = running.wait_for(20s) == std::future_status::ready;
    CHECK(ends);
    if (!ends) at.stop();
}

TEST_CASE("what can't change without a restart stays, and the log names it") {
    const backends to;
    served sidecar(to.values());
    sidecar.run();
    auto changed = to.values();
    changed.listen.address.port = 1;
    changed.workers = 7;
    changed.admin.address.reset();
    changed.log.buffer_bytes *= 2;
    sidecar.reload(changed);
    CHECK(sidecar.until_metric(R"(sidecar_config_reloads_total{outcome="ok"} 1)"));
    for (const char* key : {"listen", "workers", "admin.address", "log.buffer"})
        CHECK(wait_until([&] { return contains(sidecar.log.text(), "\"key\":\"" + std::string(key) + "\""); }));
    CHECK(sidecar.get() == "first");
    CHECK(contains(sidecar.admin("/config").body, "workers: 2"));
}

TEST_CASE("a reload keeps the snapshot if the rules ask for the same, and drops it if not") {
    backends to;
    served sidecar(to.values());
    sidecar.run();
    REQUIRE(sidecar.until_metric("sidecar_readiness_fresh 1"));
    to.status.hold();
    sidecar.reload(to.values());
    CHECK(sidecar.until_metric(R"(sidecar_config_reloads_total{outcome="ok"} 1)"));
    CHECK(sidecar.until_metric("sidecar_readiness_fresh 1"));
    auto changed = to.values();
    changed.rules.rules = {{"other", "GET", "/x/{id}", "info", augment_rule{"xs", {"is_x"}, unknown_augment::omit}}};
    sidecar.reload(changed);
    CHECK(sidecar.until_metric("sidecar_readiness_fresh 0"));
    to.status.publish(R"({"xs":[]})");
    CHECK(sidecar.until_metric("sidecar_readiness_fresh 1"));
}

TEST_CASE("a watched file's change is a reload") {
    const backends to;
    const temporary_directory place;
    const auto file = place.path / "sidecar.yaml";
    write_file(file, "a");
    served sidecar(to.values());
    {
        std::lock_guard lock(sidecar.mutex);
        sidecar.next = to.values();
    }
    sidecar.at->watch(file);
    sidecar.run();
    write_file(file, "ab");
    CHECK(sidecar.until_metric(R"(sidecar_config_reloads_total{outcome="ok"} 1)"));
}

TEST_CASE("a drain: not ready at once, alive until the end, accepting for as long as it is told to") {
    const backends to;
    auto values = to.values();
    values.drain.accept_for = 600ms;
    served sidecar(values);
    sidecar.run();
    REQUIRE(sidecar.until_ready());
    const auto begun = steady::now();
    sidecar.at->drain();
    sidecar.at->drain(); // the same one
    CHECK(wait_until([&] { return sidecar.admin_status("/readyz") == 503; }));
    CHECK(sidecar.admin("/readyz").body == "draining\n");
    CHECK(sidecar.admin_status("/livez") == 200);
    CHECK(sidecar.get() == "first");
    CHECK(wait_until([&] { return sidecar.has_ended(); }));
    CHECK(steady::now() - begun >= 600ms); // even with nobody there
    CHECK_NOTHROW(sidecar.running.get());
}

TEST_CASE("a drain that takes too long is ended, and the log says with how many") {
    const scripted_http silent([](const std::string&) { return scripted_http::answer{}; });
    const backends to;
    auto values = to.values();
    values.upstream.address.port = silent.port();
    values.drain.timeout = 100ms;
    served sidecar(values);
    sidecar.run();
    auto client = harness::wire::connect(sidecar.at->port());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    REQUIRE(sidecar.until_metric("sidecar_client_connections 1"));
    sidecar.at->drain();
    CHECK(wait_until([&] { return sidecar.has_ended(); }));
    CHECK(wait_until([&] {
        return contains(sidecar.log.text(), R"("msg":"drain timeout: stopping with connections open","connections":1)");
    }));
}

TEST_CASE("without an admin listener there is none, and all else works") {
    const backends to;
    auto values = to.values();
    values.admin.address.reset();
    served sidecar(values);
    sidecar.run();
    CHECK(sidecar.at->admin_port() == 0);
    CHECK(sidecar.get() == "first");
}

TEST_CASE("a limit that the descriptors do not allow is said at the start") {
    const backends to;
    auto values = to.values();
    values.downstream.connections_max = 500'000'000;
    served sidecar(values);
    sidecar.run();
    CHECK(wait_until([&] { return contains(sidecar.log.text(), "want more descriptors"); }));
}

} // namespace server_test
