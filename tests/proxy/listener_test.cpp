// The data plane's listening socket.
#include "proxy/data_plane/listener.hpp"
#include "tests/harness/listener.hpp"
#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <unistd.h>

#include <vector>

namespace listener_test {

using namespace sidecar;
using namespace sidecar::testing;

struct fixture {
    event_loop loop;
    harness::listener socket;
    std::vector<peer_socket> accepted;
    listener at{loop.context, loop.set, taken(socket.descriptor()),
                [this](int descriptor, const sockaddr_storage&) { accepted.emplace_back(descriptor); }};
    std::vector<harness::wire> clients;

    static int taken(int descriptor) {
        ::fcntl(descriptor, F_SETFL, O_NONBLOCK);
        return ::fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
    }
    void connect(int many) {
        while (many-- > 0) clients.push_back(harness::wire::connect(socket.port()));
    }
};

TEST_CASE_FIXTURE(fixture, "all who come are accepted, also more than have their turn in a row") {
    connect(1);
    loop.turn();
    CHECK(accepted.size() == 1);
    connect(100);
    loop.turn();
    CHECK(accepted.size() == 101);
}

TEST_CASE_FIXTURE(fixture, "with its end all who wait are accepted, and nobody who comes then") {
    connect(50);
    at.end();
    CHECK(accepted.size() == 50);
    connect(1); // the socket is open still, elsewhere
    loop.turn();
    at.revive();
    CHECK(accepted.size() == 50);
}

} // namespace listener_test
