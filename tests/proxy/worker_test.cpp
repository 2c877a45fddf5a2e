// A worker alone.
#include "proxy/control_plane/settings.hpp"
#include "proxy/data_plane/worker.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

namespace worker_test {

using namespace sidecar;
using namespace sidecar::testing;

// Of a large document each would keep tens of MiB.
TEST_CASE("a worker that has nothing to do keeps no readiness of before") {
    readable_log log;
    readiness_board board;
    shared common{{}, board, log.log};
    common.current_settings.publish(make_settings(config{}, {}));
    worker idle(common, 0, {});
    const auto publish = [&board] {
        board.publish(std::make_shared<const status_document>(), std::chrono::steady_clock::now(),
                      std::chrono::steady_clock::now());
    };
    publish();
    const auto [ours, theirs] = unix_pair();
    const peer_socket client(ours);
    idle.adopt(theirs);
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); // by what is known now
    idle.poll();
    const std::weak_ptr<const readiness> before = board.published().get();
    publish();
    CHECK_FALSE(before.expired());
    idle.take_readiness();
    idle.poll();
    board.free_replaced();
    CHECK(before.expired());
}

} // namespace worker_test
