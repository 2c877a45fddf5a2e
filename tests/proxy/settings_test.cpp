#include "proxy/control_plane/settings.hpp"

#include "proxy/control_plane/name_lookup.hpp"

#include <doctest/doctest.h>

namespace settings_test {

using namespace sidecar;

std::vector<socket_address> address(const char* host, std::uint16_t port = 3000) {
    return literal_address({host, port});
}

// Whether clients are kept from the status endpoint.
bool is_hidden(const config& values, circumstances now) {
    const auto made = make_settings(values, std::move(now));
    const request_view request{"GET", "/internal/consistency", {}};
    return made->rules.decide(request, readiness{}, time_point{}).reason == reason::status_path;
}

TEST_CASE("connections that are left to us follow the descriptors, two for each client, shared among the workers") {
    const auto made = make_settings(
        config{}, {.workers = 2, .descriptors = 20'416, .upstream_addresses = {}, .status_addresses = {}});
    CHECK(made->connections_max == 5'064); // 160 descriptors are kept back
    CHECK(made->upstream_connections_max == 5'064);
    CHECK(made->upstream_idle_max == 128);
    CHECK(made->upstream_pending_max == 512);
    CHECK(made->augment_held_max == 32 * mib);
}

TEST_CASE("configured connections are shared among the workers, rounded up") {
    config values;
    values.downstream.connections_max = 5;
    values.upstream.connections_max = 3;
    values.upstream.idle_connections_max = 1;
    const auto made =
        make_settings(values, {.workers = 2, .descriptors = 1024, .upstream_addresses = {}, .status_addresses = {}});
    CHECK(made->connections_max == 3);
    CHECK(made->upstream_connections_max == 2);
    CHECK(made->upstream_idle_max == 1);
}

TEST_CASE("few descriptors still let a few clients in") {
    const auto made =
        make_settings(config{}, {.workers = 1, .descriptors = 100, .upstream_addresses = {}, .status_addresses = {}});
    CHECK(made->connections_max == 16);
}

TEST_CASE("a request that names no host gets the backend's, as a Host field has it") {
    config values;
    const auto authority = [&values](const endpoint& backend) {
        values.upstream.address = backend;
        return make_settings(values, {})->upstream_authority;
    };
    CHECK(authority({"127.0.0.1", 3000}) == "127.0.0.1:3000");
    CHECK(authority({"api", 80}) == "api");
    CHECK(authority({"::1", 3000}) == "[::1]:3000");
    CHECK(authority({"", 0, "/run/dds/puma.sock"}) == "localhost");
}

TEST_CASE("the status path is hidden if it is on the backend that clients are proxied to") {
    config values;
    const circumstances same{1, 1024, address("127.0.0.1"), address("127.0.0.1")};
    CHECK(is_hidden(values, same));
    SUBCASE("not if it is exposed") {
        values.status.expose = true;
        CHECK_FALSE(is_hidden(values, same));
    }
    SUBCASE("not on another port") {
        values.status.url = "http://127.0.0.1:3001/internal/consistency";
        CHECK_FALSE(is_hidden(values, {1, 1024, address("127.0.0.1"), address("127.0.0.1", 3001)}));
    }
    SUBCASE("not on another address") {
        values.status.url = "http://10.0.0.2:3000/internal/consistency";
        CHECK_FALSE(is_hidden(values, {1, 1024, address("127.0.0.1"), address("10.0.0.2")}));
    }
    SUBCASE("under another name of the same address, and another loopback address") {
        values.status.url = "http://localhost:3000/internal/consistency";
        CHECK(is_hidden(values, {1, 1024, address("127.0.0.1"), address("127.0.0.1")}));
        CHECK(is_hidden(values, {1, 1024, address("127.0.0.1"), address("::1")}));
    }
    SUBCASE("in doubt: while a name does not resolve") {
        values.status.url = "http://dds:3000/internal/consistency";
        CHECK(is_hidden(values, {1, 1024, address("127.0.0.1"), {}}));
    }
}

TEST_CASE("behind a Unix socket the status path is hidden, unless status.url leads to another machine") {
    config values;
    values.upstream.address = {"", 0, "/run/dds/puma.sock"};
    const auto upstream = literal_address(values.upstream.address);
    CHECK(is_hidden(values, {1, 1024, upstream, address("127.0.0.1")}));
    CHECK(is_hidden(values, {1, 1024, upstream, {}}));
    values.status.url = "http://10.0.0.2:3000/internal/consistency";
    CHECK_FALSE(is_hidden(values, {1, 1024, upstream, address("10.0.0.2")}));
}

TEST_CASE("asked through a socket, the status path is hidden wherever status.url and the backend seem to be") {
    config values;
    values.status.socket = "/run/dds/puma.sock";
    values.status.url = "http://192.0.2.7/internal/consistency"; // another host and another port
    const auto status = address("192.0.2.7", 80);
    const auto with = [&values](endpoint upstream) {
        values.upstream.address = std::move(upstream);
        return literal_address(values.upstream.address);
    };
    CHECK(is_hidden(values, {1, 1024, with({"", 0, "/run/dds/puma.sock"}), status}));
    CHECK(is_hidden(values, {1, 1024, with({"", 0, "/run/dds/other.sock"}), status})); // a process may have two
    CHECK(is_hidden(values, {1, 1024, with({"127.0.0.1", 3000}), status}));
    CHECK(is_hidden(values, {1, 1024, with({"::1", 3000}), status}));
    CHECK(is_hidden(values, {1, 1024, with({"dds", 3000}), status}));      // does not resolve yet
    CHECK(is_hidden(values, {1, 1024, with({"10.0.0.2", 3000}), status})); // perhaps this machine's own
    values.upstream.address = {"127.0.0.1", 3000};
    values.status.expose = true;
    CHECK_FALSE(is_hidden(values, {1, 1024, address("127.0.0.1"), status}));
}

TEST_CASE("addresses as text") {
    CHECK(to_string(literal_address({"", 0, "/run/a.sock"}).front()) == "unix:/run/a.sock");
    CHECK(literal_address({"", 0, "/run/a.sock"}).front() == literal_address({"", 0, "/run/a.sock"}).front());
    CHECK_FALSE(literal_address({"", 0, "/run/a.sock"}).front() == literal_address({"", 0, "/run/b.sock"}).front());
    CHECK(to_string(address("127.0.0.1").front()) == "127.0.0.1:3000");
    CHECK(to_string(address("::1").front()) == "[::1]:3000");
    CHECK(address("localhost").empty()); // no literal
    CHECK_FALSE(look_up_now({"localhost", 1}).empty());
}

} // namespace settings_test
