// Names are looked up on threads that end with their io_context.
#include "proxy/control_plane/backend_addresses.hpp"
#include "proxy/control_plane/name_lookup.hpp"
#include "tests/proxy/control_tools.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <memory>

namespace name_lookup_test {

using namespace sidecar;
using namespace sidecar::testing;

TEST_CASE("names and literals are answered on home's thread, a Unix socket at once") {
    boost::asio::io_context io;
    name_lookup names(io);
    int answered = 0;
    std::size_t found = 0;
    for (const endpoint& each : {endpoint{"localhost", 1}, endpoint{"127.0.0.1", 1}, endpoint{"", 0, "/run/a.sock"}})
        names.start(each, [&](const std::vector<socket_address>& addresses) {
            ++answered;
            if (!addresses.empty()) ++found;
        });
    CHECK(answered == 0);
    CHECK(run_until(io, [&] { return answered == 3; }));
    CHECK(found == 3);
}

TEST_CASE("who goes while a lookup is out is not called, and nothing is left behind") {
    int answered = 0;
    {
        boost::asio::io_context io;
        auto names = std::make_unique<name_lookup>(io);
        for (int i = 0; i < 4; ++i)
            names->start({"no-such-host.invalid", 80}, [&](const std::vector<socket_address>&) { ++answered; });
        names.reset();
        io.run();
    } // waits for the threads
    CHECK(answered == 0);
}

TEST_CASE("that the backend's name does not resolve is told once, until it does") {
    boost::asio::io_context io;
    int told = 0, settled = 0;
    backend_addresses addresses(
        io, [] {}, [&](const std::string& host) { told += host == "no-such-host.invalid" ? 1 : 100; },
        {.patience = 10s, .unresolved = 1ms, .resolved = 1ms});
    config values;
    values.upstream.address = {"no-such-host.invalid", 80};
    const auto follow = [&] {
        const auto before = settled;
        addresses.follow(values, [&] { ++settled; });
        REQUIRE(run_until(io, [&] { return settled > before; }));
    };
    follow();
    CHECK(told == 1);
    follow(); // a reload, the name as it was
    CHECK(told == 1);
    values.upstream.address = {"localhost", 80};
    follow();
    CHECK_FALSE(addresses.upstream().empty());
    values.upstream.address = {"no-such-host.invalid", 80};
    follow();
    CHECK(told == 2);
}

} // namespace name_lookup_test
