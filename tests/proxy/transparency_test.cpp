// docs/behaviour.md 2.1 and 2.2: what goes in comes out, to the byte, the hop-by-hop fields aside.
#include "tests/harness/http_text.hpp"
#include "tests/harness/play.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"
#include "tests/peers/cases.hpp"

#include <doctest/doctest.h>

namespace transparency_test {

using namespace harness;

outcome play_through(const sidecar_under_test& proxy, listener& backend, const cases::transparent& one, bool bytewise) {
    play script{one.sent, one.answered, one.until_close ? then::close : then::keep, {}, patience, bytewise};
    script.enough = [&](const outcome& seen) {
        return seen.at_client.size() >= one.expected_at_client().size() &&
               seen.at_backend.size() >= one.expected_at_backend().size() &&
               (!one.until_close || seen.client_ended != ending::none);
    };
    return script.run(proxy.port(), backend);
}

void check_all(const std::vector<cases::transparent>& all, bool bytewise = false) {
    listener backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.upstream.idle_connections_max = 0; // each case on a connection of its own
    });
    for (const auto& one : all) {
        const auto seen = play_through(proxy, backend, one, bytewise);
        CHECK_MESSAGE(seen.at_backend == one.expected_at_backend(), one.name, "\n  sent:     ", shown(one.sent),
                      "\n  received: ", shown(seen.at_backend), "\n  client:   ", shown(seen.at_client));
        CHECK_MESSAGE(seen.at_client == one.expected_at_client(), one.name, "\n  sent:     ", shown(one.answered),
                      "\n  received: ", shown(seen.at_client));
        if (one.until_close) CHECK_MESSAGE(seen.client_ended == ending::fin, one.name);
    }
}

TEST_CASE("targets arrive as they were sent") { check_all(cases::targets()); }
TEST_CASE("request heads arrive as they were sent") { check_all(cases::request_heads()); }
TEST_CASE("request bodies arrive as they were sent") { check_all(cases::request_bodies()); }
TEST_CASE("hop-by-hop fields, and nothing else, are left out") { check_all(cases::hop_by_hop()); }
TEST_CASE("answer heads arrive as they were sent") { check_all(cases::answer_heads()); }
TEST_CASE("answer bodies arrive as they were sent") { check_all(cases::answer_bodies()); }

TEST_CASE("requests that come byte by byte arrive all the same") {
    check_all(cases::request_bodies(), true);
    check_all(cases::hop_by_hop(), true);
}

TEST_CASE("answers that come byte by byte arrive all the same") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    for (const auto& one : cases::answer_bodies()) {
        auto client = proxy.connect();
        client.send(one.sent);
        auto up = backend.accept();
        up.receive_request();
        up.send_bytewise(one.answered);
        if (one.until_close) up.close();
        CHECK_MESSAGE(shown(client.receive(one.expected_at_client().size())) == shown(one.expected_at_client()),
                      one.name);
        up.reset();
    }
}

TEST_CASE("a second request on the same connections is as transparent as the first") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    const std::string first = "GET /1 HTTP/1.1\r\nHost: a\r\nCookie: secret\r\n\r\n";
    const std::string second = "GET /2 HTTP/1.1\r\nHost: b\r\n\r\n";
    client.send(first);
    auto up = backend.accept();
    CHECK(up.receive(first.size()) == first);
    const std::string answer = "HTTP/1.1 200 OK\r\nSet-Cookie: a\r\nContent-Length: 1\r\n\r\n1";
    up.send(answer);
    CHECK(client.receive(answer.size()) == answer);
    client.send(second);
    CHECK(up.receive(second.size()) == second);
    const std::string other = "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n2";
    up.send(other);
    CHECK(client.receive(other.size()) == other);
}

TEST_CASE("fields are added only where the configuration asks for them") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) {
        c.forward.x_forwarded_for = true;
        c.forward.x_forwarded_proto = "https";
        c.forward.x_request_id = true;
        c.upstream.idle_connections_max = 0;
    });
    auto client = proxy.connect();
    SUBCASE("each of them") {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        const auto head = backend.accept().receive_head();
        CHECK(head.starts_with("GET / HTTP/1.1\r\nHost: a\r\n"));
        CHECK(field_of(head, "X-Forwarded-For") == "127.0.0.1");
        CHECK(field_of(head, "X-Forwarded-Proto") == "https");
        CHECK(field_of(head, "X-Request-Id").value_or("").size() == 36);
    }
    SUBCASE("the client's request id stays, its protocol does not") {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Request-Id: 7\r\nX-Forwarded-Proto: http\r\n\r\n");
        const auto head = backend.accept().receive_head();
        CHECK(field_of(head, "X-Request-Id") == "7");
        CHECK(count_of(head, "X-Request-Id") == 1);
        CHECK(field_of(head, "X-Forwarded-Proto") == "https");
        CHECK(count_of(head, "X-Forwarded-Proto") == 1);
    }
    SUBCASE("the client's address goes behind those that are there") {
        client.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 1.2.3.4\r\n\r\n");
        const auto head = backend.accept().receive_head();
        CHECK(head.find("1.2.3.4") < head.find("127.0.0.1"));
    }
}

} // namespace transparency_test
