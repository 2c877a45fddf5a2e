// The program's life: it serves, is asked how it is, reloads, drains, ends; signals and the want of descriptors.
#include "proxy/program/admin_client.hpp"
#include "tests/harness/answering_backend.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/listener.hpp"
#include "tests/harness/patience.hpp"
#include "tests/harness/process.hpp"
#include "tests/harness/status_endpoint.hpp"
#include "tests/harness/wire.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

namespace program_life_test {

namespace fs = std::filesystem;
using std::chrono::steady_clock;
using namespace harness;

TEST_CASE("it serves, tells its health, survives a bad reload, and drains on SIGTERM") {
    const folder here;
    const auto file = here.write(quick_to_end(free_port()));
    process sidecar({"--config", file});
    sidecar.await("\"msg\":\"serving\"");
    process live({"healthcheck", "--live", "--config", file});
    CHECK(live.exit_code() == 0);
    CHECK(live.output().starts_with("200 "));
    process ready({"--config", file, "healthcheck"});
    CHECK(ready.exit_code() == 0);

    here.write(quick_to_end(1) + "nonsense: 1\n");
    sidecar.signal(SIGHUP);
    sidecar.await("unknown key 'nonsense'");

    sidecar.signal(SIGTERM);
    CHECK(sidecar.exit_code() == 0);
}

TEST_CASE("get prints what the admin listener says") {
    const folder here;
    const auto file = here.write(quick_to_end(free_port()));
    process sidecar({"--config", file});
    sidecar.await("\"msg\":\"serving\"");
    process metrics({"get", "/metrics", "--config", file});
    CHECK(metrics.exit_code() == 0);
    CHECK(metrics.output().find("sidecar_build_info{") != std::string::npos);
    CHECK(metrics.output().find("revision=") != std::string::npos);
    process nothing({"get", "/nothing", "--config", file});
    CHECK(nothing.exit_code() == 1);
    CHECK(nothing.output().starts_with("404 "));
    CHECK(process({"get", "nothing", "--config", file}).exit_code() == 2);
    CHECK(process({"get", "--config", file}).exit_code() == 2);
}

TEST_CASE("status prints what /status says, and its exit code tells the state") {
    const folder here;
    const auto code_of = [&here](const std::string& body, const std::string& status = "200 OK") {
        listener admin;
        process asked({"status", "--config", here.write(quick_to_end(admin.port()))});
        auto client = admin.accept();
        CHECK(client.receive_head().starts_with("GET /status HTTP/1.1\r\n"));
        client.send("HTTP/1.1 " + status + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
        client.close();
        const int code = asked.exit_code();
        CHECK(asked.output() == body);
        return code;
    };
    CHECK(code_of("ok: all is well\nmore\n") == 0);
    CHECK(code_of("degraded: readiness is unknown\n") == 3);
    CHECK(code_of("failing: backend unreachable for 42 s\n") == 4);
    CHECK(code_of("starting\n") == 5);
    CHECK(code_of("draining\n") == 5);
    CHECK(code_of("who knows\n") == 1);
    CHECK(code_of("ok\n", "404 Not Found") == 1);
    const closed_port nobody;
    CHECK(process({"status", "--config", here.write(quick_to_end(nobody.port()))}).exit_code() == 1);
}

TEST_CASE("status, get and drain find what runs, although its file has become wrong or can't be read") {
    const folder here;
    const auto admin = free_port();
    const auto file = here.write(quick_to_end(admin));
    process sidecar({"--config", file});
    sidecar.await("\"msg\":\"serving\"");
    std::vector<std::string> where;
    const auto asked = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.end(), where.begin(), where.end());
        arguments.insert(arguments.end(), {"--config", file});
        process one(arguments);
        const int code = one.exit_code();
        CHECK_MESSAGE(one.output().find("warning: the configuration is not valid: ") != std::string::npos,
                      one.output());
        CHECK(one.output().find("warning: asked is what runs at 127.0.0.1:" + std::to_string(admin)) !=
              std::string::npos);
        return code;
    };
    const auto address = "admin.address=127.0.0.1:" + std::to_string(admin);
    SUBCASE("an unknown key") { here.write(quick_to_end(admin) + "nonsense: 1\n"); }
    SUBCASE("no YAML") {
        here.write("upstream: {");
        where = {"--set", address};
    }
    SUBCASE("gone") {
        fs::remove(file);
        where = {"--set", address};
    }
    const auto code = asked({"status"});
    CHECK((code == 0 || (code >= 3 && code <= 5))); // a state, and no failure to ask
    CHECK(asked({"get", "/livez"}) == 0);
    CHECK(asked({"healthcheck", "--live"}) == 0);
    CHECK(asked({"drain", "--wait"}) == 0);
    CHECK(sidecar.exit_code() == 0);
    CHECK(process({"status", "--config", file, "--set", "nonsense=1"}).exit_code() == 2);
}

TEST_CASE("drain, told twice, is one drain; SIGTERM goes on with it, and a second one ends at once") {
    const folder here;
    const auto admin = free_port();
    const auto file =
        here.write("listen: {address: 127.0.0.1:0}\nworkers: 1\nadmin: {address: 127.0.0.1:" + std::to_string(admin) +
                   "}\ndrain: {accept_for: 1h, timeout: 1s}\n");
    process sidecar({"--config", file});
    sidecar.await("\"msg\":\"serving\"");
    for (int i = 0; i < 2; ++i) CHECK(process({"drain", "--config", file}).exit_code() == 0);
    sidecar.await("\"msg\":\"draining\"");
    sidecar.signal(SIGTERM);
    process ready({"healthcheck", "--config", file});
    CHECK(ready.exit_code() == 1);
    CHECK(ready.output() == "503 draining\n"); // it still runs
    sidecar.signal(SIGTERM);
    CHECK(sidecar.exit_code() == 0);
    const auto& log = sidecar.output();
    const auto first = log.find("\"msg\":\"draining\"");
    CHECK(log.find("\"msg\":\"draining\"", first + 1) == std::string::npos);
    CHECK(log.find("stopping at once") != std::string::npos);
    CHECK(process({"drain", "--config", file}).exit_code() == 1); // nobody is there
}

TEST_CASE("drain --wait ends when the other has; it tells the one that the configuration names, and no other") {
    const folder here, elsewhere;
    const auto file = here.write(quick_to_end(free_port()));
    const auto other_file = elsewhere.write(quick_to_end(free_port()));
    process sidecar({"--config", file}), other({"--config", other_file});
    sidecar.await("\"msg\":\"serving\"");
    other.await("\"msg\":\"serving\"");
    CHECK(process({"drain", "--wait", "--config", file}).exit_code() == 0);
    CHECK(process({"healthcheck", "--config", file}).exit_code() == 1);
    CHECK(sidecar.exit_code() == 0);
    CHECK(process({"healthcheck", "--live", "--config", other_file}).exit_code() == 0);
    CHECK(other.output().find("draining") == std::string::npos);
    CHECK(process({"drain", "--config", here.write("admin: {address: off}\n")}).exit_code() == 1);
}

TEST_CASE("SIGUSR1 and SIGUSR2 do nothing") {
    const folder here;
    const auto file = here.write(quick_to_end(free_port()));
    process sidecar({"--config", file});
    sidecar.await("\"msg\":\"serving\"");
    sidecar.signal(SIGUSR1);
    sidecar.signal(SIGUSR2);
    CHECK(process({"healthcheck", "--live", "--config", file}).exit_code() == 0);
    sidecar.signal(SIGTERM);
    CHECK(sidecar.exit_code() == 0);
}

TEST_CASE("a configuration can come through a pipe, once: a reload does not wait for another") {
    const folder here;
    const auto file = (here.path / "pipe").string();
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    process sidecar({"--config", file});
    const auto give_up_at = steady_clock::now() + patience;
    int writer = -1;
    while ((writer = ::open(file.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)) < 0) // until it has its reader
        REQUIRE(steady_clock::now() < give_up_at);
    const auto text = quick_to_end(free_port());
    CHECK(::write(writer, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
    ::close(writer);
    sidecar.await("\"msg\":\"serving\"");
    sidecar.signal(SIGHUP);
    sidecar.await("is a pipe, which can't be read again");
    sidecar.signal(SIGTERM);
    CHECK(sidecar.exit_code() == 0);
}

TEST_CASE("without a descriptor left it goes on serving whom it has, and recovers when some are free again") {
    constexpr rlim_t most = 64;
    const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    const answering_backend backend(ok);
    const folder here;
    const auto port = free_port();
    process sidecar({"--config", here.write(quick_to_end(free_port(), port) + "upstream: {address: 127.0.0.1:" +
                                            std::to_string(backend.port()) + "}\n")});
    sidecar.await("\"msg\":\"serving\"");
    auto first = wire::connect(port);
    first.send(get);
    CHECK(first.receive_answer().bytes() == ok);

    sidecar.limit(RLIMIT_NOFILE, most);
    std::vector<wire> idle; // the kernel takes more than the sidecar can
    for (rlim_t i = 0; i < 2 * most; ++i) idle.push_back(wire::connect(port));
    const auto give_up_at = steady_clock::now() + patience;
    while (sidecar.descriptors() < most && steady_clock::now() < give_up_at) std::this_thread::yield();
    CHECK(sidecar.descriptors() >= most);
    first.send(get); // its connection to the backend is kept
    CHECK(first.receive_answer().bytes() == ok);
    auto late = wire::connect(port);
    late.send(get);

    idle.clear();
    CHECK(late.receive_answer().bytes() == ok);
    sidecar.signal(SIGTERM);
    CHECK(sidecar.exit_code() == 0);
}

TEST_CASE("SIGINT drains, too, and nobody reading its log does not matter") {
    const folder here;
    process sidecar({"--config", here.write(quick_to_end(free_port()))});
    sidecar.await("\"msg\":\"serving\"");
    sidecar.signal(SIGINT);
    CHECK(sidecar.exit_code() == 0);
}

TEST_CASE("an address that is taken is exit code 1, and is named") {
    const folder here;
    const listener taken;
    process sidecar({"--config", here.write(quick_to_end(free_port(), taken.port()))});
    CHECK(sidecar.exit_code() == 1);
    CHECK(sidecar.output().find("127.0.0.1:" + std::to_string(taken.port())) != std::string::npos);
}

TEST_CASE("the health check fails where nobody is, or nobody answers in time") {
    const folder here;
    const closed_port nobody;
    process check({"healthcheck", "--config", here.write(quick_to_end(nobody.port()))});
    CHECK(check.exit_code() == 1);
    CHECK(check.output() == "healthcheck: Connection refused\n");

    const listener silent;
    const auto asked = sidecar::ask_admin({"0.0.0.0", silent.port()}, "GET", "/readyz", std::chrono::milliseconds(20));
    REQUIRE_FALSE(asked.has_value());
    CHECK(asked.error().message == "Connection timed out");
}

TEST_CASE("the health check takes no other answer for health") {
    const auto asked_of = [](std::string_view answer) {
        listener admin;
        std::thread answering([&] {
            auto client = admin.accept();
            client.receive_head();
            client.send(answer);
        });
        auto asked = sidecar::ask_admin({"127.0.0.1", admin.port()}, "GET", "/readyz", patience);
        answering.join();
        return asked;
    };
    CHECK(asked_of("HTTP/1.1 200 OK\r\n\r\nready")->status == 200);
    CHECK(asked_of("HTTP/1.1 503 No\r\n\r\ndraining")->status == 503);
    CHECK(asked_of("HTTP/1.1 503 No\r\n\r\ndraining")->body == "draining");
    CHECK(asked_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nready").has_value());
    CHECK(asked_of("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nready").error().message == "the response was cut off");
    CHECK_FALSE(asked_of("hello").has_value());
    CHECK_FALSE(asked_of("").has_value());
}

TEST_CASE("the clock of the day may jump: polls go on, and a snapshot ages by the time that has passed") {
    if (sanitized) return; // a sanitizer has a clock_gettime of its own
    const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
    const std::string busy = R"({"projects":[{"id":")" + id + R"(","is_upload_ready":false}]})";
    answering_backend api(answer_with("{}", "201 Created"));
    status_endpoint status(busy);
    const folder at;
    const auto file = at.write("listen: {address: \"127.0.0.1:0\"}\nadmin: {address: off}\nworkers: 1\n"
                               "upstream: {address: \"127.0.0.1:" +
                               std::to_string(api.port()) + "\"}\nstatus: {url: \"" + status.url() +
                               "\", interval: 20ms, wait: 0s, timeout: 2s, max_age: 3s, max_backoff: 20ms}\n");
    const auto jumping = (fs::read_symlink("/proc/self/exe").parent_path() / "libjumping_clock.so").string();
    REQUIRE(fs::exists(jumping));
    process sidecar({"--config", file}, "/", "LD_PRELOAD=" + jumping);
    const auto& log = sidecar.await("\"serving\"");
    std::string today = "\"time\":\"yyyy-mm-dd";
    const auto now = std::time(nullptr);
    std::tm date{};
    std::strftime(today.data() + 8, 11, "%F", ::gmtime_r(&now, &date));
    CHECK(log.find(today) == std::string::npos); // the clock does jump
    const auto port = static_cast<std::uint16_t>(std::stoul(log.substr(log.find("\"port\":") + 7)));

    const auto upload = [&] {
        auto client = wire::connect(port);
        client.send("POST /api/v1/projects/" + id +
                    "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 0\r\n\r\n");
        return status_of(client.receive_answer().head);
    };
    for (int i = 0; i < 20; ++i) {
        status.await_polled();
        CHECK(upload() == 404);
    }
    const auto good_until = steady_clock::now();
    status.fail();
    while (upload() == 404 && steady_clock::now() < good_until + 2 * patience) {
    }
    CHECK(upload() == 201);
    CHECK(steady_clock::now() - good_until >= std::chrono::seconds(2)); // of max_age; the last good poll is younger
    status.publish(busy);
    CHECK(upload() == 404);
}

} // namespace program_life_test
