// The workers together: which of them hangs.
#include "proxy/control_plane/crew.hpp"
#include "proxy/control_plane/settings.hpp"
#include "tests/proxy/control_tools.hpp"

#include <doctest/doctest.h>

namespace crew_test {

using namespace sidecar;
using namespace sidecar::testing;
using steady = std::chrono::steady_clock;

TEST_CASE("a worker that does not turn is told from those that do") {
    readable_log log;
    readiness_board board;
    shared common{{}, board, log.log};
    common.current_settings.publish(make_settings(config{}, {}));
    config values;
    values.listen.address = {"127.0.0.1", 0};
    listeners sockets(values.listen, 2);
    boost::asio::io_context io;
    bool ended = false;
    crew workers(io, common, sockets, 2, [&](const std::exception_ptr&) { ended = true; });
    CHECK_FALSE(workers.stuck(steady::now() + 1h, 10s)); // they have not begun
    workers.start();
    const auto began = steady::now();
    CHECK(wait_until([&] { return workers.stuck(steady::now() + 1h, 10s).has_value(); })); // looked at from far ahead
    CHECK(wait_until([&] { return steady::now() - began > 1500ms && !workers.stuck(steady::now(), 1400ms); }));
    const auto stuck = workers.stuck(steady::now() + 11s, 10s);
    REQUIRE(stuck);
    CHECK(stuck->index < 2);
    CHECK(stuck->still_for > 10s);
    CHECK(stuck->still_for < 14s);
    workers.stop();
    CHECK(run_until(io, [&] { return ended; }));
}

} // namespace crew_test
