// The pool alone, without a worker: what happens between two of its steps, which no peer can time from outside.
#include "proxy/control_plane/settings.hpp"
#include "proxy/data_plane/upstream.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>

#include <cstring>

namespace upstream_test {

using namespace sidecar;
using namespace sidecar::testing;

socket_address loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    socket_address made;
    std::memcpy(&made.storage, &address, sizeof address);
    made.length = sizeof address;
    return made;
}

// Somebody who asks the pool for a connection.
struct asker {
    stream client;
    peer_socket peer;
    upstream_lease lease;
    failure_reason found = failure_reason::none;
    bool done = false;
    time_to_connection spent;
    std::optional<task<>> asking;

    explicit asker(event_loop& loop) : client(loop.set, loop.timers) {
        const auto [ours, theirs] = unix_pair();
        peer = peer_socket(theirs);
        REQUIRE_FALSE(client.open(ours));
    }
    void ask(upstream& pool, const settings& config) {
        asking.emplace(run(pool, config));
        asking->start();
    }

private:
    task<> run(upstream& pool, const settings& config) {
        found = co_await pool.connect(reuse::always, client, config, lease, spent);
        done = true;
    }
};

struct fixture {
    event_loop loop;
    harness::scripted_backend backend;
    peer_socket nowhere{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
    sidecar::log log{nowhere.descriptor()};
    worker_metrics metrics;
    worker_log lines{log, 0};
    std::shared_ptr<const settings> config;
    upstream pool{loop.context, loop.set, loop.timers, metrics, lines};

    fixture() {
        sidecar::config values;
        values.upstream.connections_max = 1;
        config = make_settings(values, {1, 4096, {loopback(backend.port())}, {}});
        pool.use(*config);
    }
};

TEST_CASE_FIXTURE(fixture,
                  "a connection given to who waits in line, and not quiet any more when it goes on, is not its") {
    asker first(loop), second(loop);
    first.ask(pool, *config);
    auto up = backend.accept();
    loop.turn();
    REQUIRE(first.done);
    second.ask(pool, *config);
    CHECK_FALSE(second.done);
    pool.give_back(std::move(first.lease), *config);
    CHECK_FALSE(second.done); // it has been given, and goes on in the next turn
    std::string from_backend;
    bool is_reused = false;
    SUBCASE("nothing came") { is_reused = true; }
    SUBCASE("bytes of nobody's response") { from_backend = "HTTP/1.1 200 OK\r\n"; }
    SUBCASE("its end") { up.end_writing(); }
    up.send(from_backend);
    loop.turn();
    harness::wire fresh;
    if (!is_reused) {
        fresh = backend.accept();
        loop.turn();
        CHECK(up.receive_rest().empty());
    }
    REQUIRE(second.done);
    CHECK(second.found == failure_reason::none);
    CHECK(second.lease->reused == is_reused);
    CHECK(second.lease->link.is_quiet());
    CHECK(metrics.upstream_open.get() == 1);
    second.lease.reset();
    CHECK(metrics.upstream_open.get() == 0);
}

// A round of many events may take a while before the request that would use it has its turn.
TEST_CASE_FIXTURE(fixture, "a connection at rest is believed to be quiet for a moment only") {
    asker first(loop);
    first.ask(pool, *config);
    auto up = backend.accept();
    loop.turn();
    REQUIRE(first.done);
    pool.give_back(std::move(first.lease), *config);
    first.peer.send("x"); // something happens, so that all are looked at
    loop.turn();
    bool is_quiet = false;
    SUBCASE("nothing comes") { is_quiet = true; }
    SUBCASE("bytes of nobody's response come") { up.send("HTTP/1.1 200 OK\r\n"); }
    SUBCASE("its end comes") { up.end_writing(); }
    const auto give_up_at = std::chrono::steady_clock::now() + harness::patience;
    while (loop.set.sees_now() && std::chrono::steady_clock::now() < give_up_at) continue;
    CHECK(static_cast<bool>(pool.take_idle(reuse::always, *config)) == is_quiet);
    CHECK(metrics.upstream_open.get() == 0); // given back to nobody, or closed
}

} // namespace upstream_test
