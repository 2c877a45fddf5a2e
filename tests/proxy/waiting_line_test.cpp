// Requests wait in line for a place below upstream.connections_max. A place that comes free goes to one that still
// wants it, whoever has left meanwhile.
#include "tests/harness/program.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <vector>

namespace waiting_line_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string last = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok";

std::string one_place(std::uint16_t backend, std::uint16_t no_status) {
    return "upstream: {address: 127.0.0.1:" + std::to_string(backend) + ", max_connections: 1}\nworkers: 1\n" +
           "admin: {address: off}\nstatus: {url: http://127.0.0.1:" + std::to_string(no_status) + "/}\n";
}

// The sidecar stands still while both happen, so that it learns of both at once, and in this order.
TEST_CASE("a place that comes free just as the front of the line leaves goes to the next") {
    scripted_backend backend;
    closed_port no_status;
    program sidecar(one_place(backend.port(), no_status.port()));
    std::string response = ok;
    bool place_first = true;
    SUBCASE("the connection is kept, the place first") {}
    SUBCASE("the connection is kept, the client first") { place_first = false; }
    SUBCASE("the connection is closed, the place first") { response = last; }
    SUBCASE("the connection is closed, the client first") {
        response = last;
        place_first = false;
    }
    auto holder = sidecar.connect();
    holder.send(get);
    auto up = backend.accept();
    up.receive_head();
    std::vector<wire> line;
    for (int i = 0; i < 4; ++i) {
        line.push_back(sidecar.connect());
        line.back().send(get);
        CHECK(line.back().stays_silent(10ms)); // it waits
    }
    sidecar.halt();
    if (place_first) up.send(response);
    line[0].reset();
    line[1].reset();
    if (!place_first) up.send(response);
    sidecar.go_on();
    CHECK(holder.receive_answer().body == "ok");
    for (int i = 2; i < 4; ++i) {
        backend.await_request(up);
        CHECK(up.receive_head() == get);
        up.send(response);
        CHECK(line[static_cast<std::size_t>(i)].receive_answer().body == "ok");
    }
}

// The sidecar stands still until request and end are both there.
TEST_CASE("on_half_close: abort: a client that ends its side with its request is not sent on") {
    scripted_backend backend;
    closed_port no_status;
    program sidecar(one_place(backend.port(), no_status.port()) + "downstream: {on_half_close: abort}\n");
    auto other = sidecar.connect();
    wire up;
    bool is_in_use = false;
    SUBCASE("no connection is there") {}
    SUBCASE("one is kept") { up = backend.serve_one(other, get, ok); }
    SUBCASE("all are in use") {
        other.send(get);
        up = backend.accept();
        up.receive_head();
        is_in_use = true;
    }
    sidecar.halt();
    auto leaves = sidecar.connect();
    leaves.send(get);
    leaves.end_writing();
    sidecar.go_on();
    CHECK(leaves.receive_rest().empty());
    CHECK(backend.untouched());
    if (!up.is_open()) return;
    if (is_in_use) {
        up.send(ok);
        CHECK(other.receive_answer().body == "ok");
    }
    other.send(get); // on the same connection, behind nothing
    CHECK(up.receive_head() == get);
}

TEST_CASE("a line in which clients come and go loses no place") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.connections_max = 1; });
    for (int round = 0; round < 60; ++round) {
        auto holder = proxy.connect(), leaves = proxy.connect(), stays = proxy.connect();
        holder.send(get);
        auto up = backend.accept();
        up.receive_head();
        leaves.send(get);
        stays.send(get);
        up.send(last);
        leaves.reset();
        CHECK(holder.receive_answer().body == "ok");
        // The one that left may have been forwarded by then.
        up.close();
        const auto until = std::chrono::steady_clock::now() + patience;
        while (!stays.has_something()) {
            REQUIRE(std::chrono::steady_clock::now() < until);
            if (!backend.untouched()) up = backend.accept();
            if (!up.is_open() || !up.has_bytes()) continue;
            up.try_send(last);
            if (!stays.stays_silent(20ms)) break;
            up.close();
        }
        CHECK(stays.receive_answer().body == "ok");
        up.close();
    }
}

} // namespace waiting_line_test
