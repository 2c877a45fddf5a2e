// What becomes of a head on its way, without sockets: every byte that is kept is the original one, in one place.
#include "proxy/data_plane/edit_head.hpp"
#include "tests/peers/cases.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace edit_head_test {

using namespace sidecar;
using namespace std::string_literals;

constexpr head_limits roomy{128 * 1024, 100, 8 * 1024 + 1};

std::string edited(const std::string& request, const request_changes& changes = {}) {
    request_head head;
    std::size_t searched = 0;
    REQUIRE(read_request_head(request, searched, roomy, head) == head_status::complete);
    buffer_pool pool;
    buffer out(pool);
    write_request_head(head, changes, out);
    return std::string(out.data());
}

std::string edited_response(const std::string& response, const response_changes& changes = {}, bool to_head = false) {
    response_head head;
    std::size_t searched = 0;
    REQUIRE(read_response_head(response, searched, roomy, to_head, head) == head_status::complete);
    buffer_pool pool;
    buffer out(pool);
    write_response_head(head, changes, out);
    return std::string(out.data());
}

std::string get(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }
std::string ok(std::string_view lines) { return "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n"; }

// The head at the front of a message, blank lines aside.
std::string head_of(std::string message) {
    while (message.starts_with("\r\n")) message.erase(0, 2);
    return message.substr(0, message.find("\r\n\r\n") + 4);
}

void check_requests(const std::vector<cases::transparent>& all) {
    for (const auto& one : all) CHECK_MESSAGE(edited(one.sent) == head_of(one.expected_at_backend()), one.name);
}

void check_responses(const std::vector<cases::transparent>& all) {
    for (const auto& one : all) {
        response_changes changes;
        if (one.until_close) changes.client = persistence::close;
        CHECK_MESSAGE(edited_response(one.answered, changes, one.sent.starts_with("HEAD")) ==
                          head_of(one.expected_at_client()),
                      one.name);
    }
}

request_changes with(const forward_config& additions) {
    request_changes changes;
    changes.additions = &additions;
    changes.client_address = "192.0.2.7";
    changes.new_request_id = "new";
    return changes;
}

TEST_CASE("requests go on to the byte but for what is the hop's") {
    check_requests(cases::targets());
    check_requests(cases::request_heads());
    check_requests(cases::request_bodies());
    check_requests(cases::hop_by_hop());
}

TEST_CASE("responses go on to the byte but for what is the hop's") {
    check_responses(cases::hop_by_hop());
    check_responses(cases::answer_heads());
    check_responses(cases::answer_bodies());
}

TEST_CASE("a head is appended to what is there") {
    request_head head;
    std::size_t searched = 0;
    const auto text = get("A: b\r\nConnection: close\r\n");
    REQUIRE(read_request_head(text, searched, roomy, head) == head_status::complete);
    buffer_pool pool;
    buffer out(pool);
    out.append("before");
    write_request_head(head, {}, out);
    CHECK(out.data() == "before" + get("A: b\r\n"));
}

TEST_CASE("an upgrade goes on to websocket alone") {
    const auto upgrade = [](std::string_view lines) { return edited(get(lines)); };
    CHECK(upgrade("Connection: Upgrade\r\nUpgrade: WebSocket\r\nA: b\r\n") ==
          get("Upgrade: WebSocket\r\nA: b\r\nConnection: Upgrade\r\n"));
    CHECK(upgrade("Connection: keep-alive, Upgrade\r\nupgrade: h2c, websocket\r\nA: b\r\n") ==
          get("upgrade: websocket\r\nA: b\r\nConnection: Upgrade\r\n"));
    CHECK(upgrade("Connection: Upgrade\r\nUpgrade: h2c\r\nA: b\r\nUpgrade: websocket\r\nUpgrade: websocket\r\n") ==
          get("A: b\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"));
    CHECK(upgrade("Connection: Upgrade, TE\r\nUpgrade: websocket\r\nTE: trailers\r\n") ==
          get("Upgrade: websocket\r\nTE: trailers\r\nConnection: Upgrade, TE\r\n"));
    // What Connection names besides goes all the same.
    CHECK(upgrade("Connection: Upgrade, X-A\r\nUpgrade: websocket\r\nX-A: b\r\n") ==
          get("Upgrade: websocket\r\nConnection: Upgrade\r\n"));
}

TEST_CASE("an HTTP/1.0 request goes on as HTTP/1.1, with a Host") {
    request_changes changes;
    changes.backend_authority = "127.0.0.1:9292";
    CHECK(edited("GET /x HTTP/1.0\r\nA: b\r\n\r\n", changes) ==
          "GET /x HTTP/1.1\r\nA: b\r\nHost: 127.0.0.1:9292\r\n\r\n");
    CHECK(edited("GET /x HTTP/1.0\r\nHost: h\r\n\r\n", changes) == "GET /x HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(edited("GET http://h:1/x HTTP/1.0\r\n\r\n", changes) == "GET /x HTTP/1.1\r\nHost: h:1\r\n\r\n");
    CHECK(edited("POST / HTTP/1.0\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", changes) ==
          "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n");
    CHECK(edited("OPTIONS http://h HTTP/1.1\r\nHost: h\r\n\r\n", changes) == "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n");
}

TEST_CASE("the Host of an absolute target takes the place of the one that came") {
    CHECK(edited("GET http://b/x HTTP/1.1\r\nA: b\r\nhost: a\r\nC: d\r\n\r\n") ==
          "GET /x HTTP/1.1\r\nA: b\r\nhost: b\r\nC: d\r\n\r\n");
}

TEST_CASE("fields that are set go on once") {
    forward_config all;
    all.x_forwarded_for = true;
    all.x_forwarded_proto = "https";
    all.x_request_id = true;
    const auto changes = with(all);
    const auto ours = "X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Request-Id: new\r\n"s;
    CHECK(edited(get("A: b\r\n"), changes) == get("A: b\r\n" + ours));
    SUBCASE("a client's spelling with underscores is left out") {
        CHECK(edited(get("X_Forwarded_For: 1\r\nx-forwarded_proto: 2\r\nX_REQUEST_ID: 3\r\nA: b\r\n"), changes) ==
              get("A: b\r\n" + ours));
    }
    SUBCASE("the client's list stands before the client's address, in one line") {
        CHECK(edited(get("X-Forwarded-For: 1.2.3.4\r\nA: b\r\nx-forwarded-for: 5.6.7.8\r\nX-Forwarded-For:\r\n"),
                     changes) == get("A: b\r\nX-Forwarded-For: 1.2.3.4, 5.6.7.8, 192.0.2.7\r\n"
                                     "X-Forwarded-Proto: https\r\nX-Request-Id: new\r\n"));
    }
    SUBCASE("a list that Connection names is none") {
        CHECK(
            edited(get("X-Forwarded-For: 1.2.3.4\r\nConnection: X-Forwarded-For, X-Request-Id\r\nX-Request-Id: 7\r\n"),
                   changes) == get(ours));
    }
    SUBCASE("the client's request id stays, its protocol does not") {
        CHECK(edited(get("x-request-id: 7\r\nX-Forwarded-Proto: http\r\n"), changes) ==
              get("x-request-id: 7\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"));
    }
    SUBCASE("nothing is touched that is not set") {
        const auto lines = "X-Forwarded-For: 1\r\nX_Forwarded_For: 2\r\nX-Request-Id: 3\r\nX_Request_Start: 4\r\n";
        CHECK(edited(get(lines)) == get(lines));
        CHECK(edited(get(lines), with({})) == get(lines));
    }
}

TEST_CASE("X-Request-Start is added where none came") {
    request_changes changes;
    changes.request_start = "t=1700000000.000001";
    CHECK(edited(get("A: b\r\n"), changes) == get("A: b\r\nX-Request-Start: t=1700000000.000001\r\n"));
    CHECK(edited(get("x-request-start: t=1\r\n"), changes) == get("x-request-start: t=1\r\n"));
    CHECK(edited(get("X_Request_Start: t=1\r\n"), changes) == get("X-Request-Start: t=1700000000.000001\r\n"));
}

TEST_CASE("an augmented request asks for the whole, unencoded representation") {
    request_changes changes;
    changes.whole_and_unencoded = true;
    CHECK(edited(get("Accept-Encoding: gzip\r\nRange: bytes=0-1\r\nIf-Range: \"a\"\r\nIf-None-Match: \"a\"\r\nA: b\r\n"
                     "If-Modified-Since: x\r\nIf-Match: \"a\"\r\nIf-Unmodified-Since: x\r\nC: d\r\n"),
                 changes) == get("A: b\r\nC: d\r\nAccept-Encoding: identity\r\n"));
}

TEST_CASE("a response says what its client can rely on") {
    response_changes changes;
    SUBCASE("that the connection ends") {
        changes.client = persistence::close;
        CHECK(edited_response(ok("Content-Length: 0\r\nConnection: keep-alive\r\n"), changes) ==
              ok("Content-Length: 0\r\nConnection: close\r\n"));
    }
    SUBCASE("that the connection stays, to HTTP/1.0") {
        changes.client_minor_version = 0;
        CHECK(edited_response(ok("Content-Length: 0\r\n"), changes) ==
              ok("Content-Length: 0\r\nConnection: keep-alive\r\n"));
    }
    SUBCASE("that there are no chunks") {
        changes.dechunked = true;
        changes.client = persistence::close;
        CHECK(edited_response(ok("A: b\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n"), changes) ==
              ok("A: b\r\nConnection: close\r\n"));
    }
    SUBCASE("that the protocol switches") {
        changes.switching = true;
        CHECK(edited_response("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n"
                              "Content-Length: 0\r\nSec-WebSocket-Accept: x\r\n\r\n",
                              changes) == "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                          "Sec-WebSocket-Accept: x\r\nConnection: Upgrade\r\n\r\n");
    }
    SUBCASE("its version is ours") {
        CHECK(edited_response("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n") == ok("Content-Length: 0\r\n"));
        CHECK(edited_response("HTTP/1.7 200\r\nContent-Length: 0\r\n\r\n") ==
              "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n");
    }
}

TEST_CASE("an augmented response loses what is untrue of it") {
    response_changes changes;
    changes.representation_changed = true;
    changes.content_length = 12345;
    changes.etag = "\"new\"";
    const auto backends =
        ok("A: b\r\nContent-length: 5\r\nETag: \"x\"\r\nLast-Modified: x\r\nContent-MD5: x\r\nDigest: x\r\n"
           "Content-Digest: x\r\nRepr-Digest: x\r\nAccept-Ranges: bytes\r\nC: d\r\n");
    CHECK(edited_response(backends, changes) == ok("A: b\r\nContent-length: 12345\r\nETag: \"new\"\r\nC: d\r\n"));
    SUBCASE("a length where none was") {
        CHECK(edited_response(ok("Transfer-Encoding: chunked\r\nTrailer: x\r\nC: d\r\n"), changes) ==
              ok("C: d\r\nContent-Length: 12345\r\n"));
    }
    SUBCASE("still chunked, for the trailers") {
        changes.content_length.reset();
        changes.keep_coding = true;
        CHECK(edited_response(ok("Transfer-Encoding: chunked\r\nTrailer: x\r\nC: d\r\n"), changes) ==
              ok("Transfer-Encoding: chunked\r\nTrailer: x\r\nC: d\r\n"));
    }
    SUBCASE("a 304 in its place") {
        changes.content_length.reset();
        changes.not_modified = true;
        CHECK(edited_response(ok("Content-Type: x\r\nETag: \"x\"\r\nContent-Length: 5\r\nVary: y\r\n"), changes) ==
              "HTTP/1.1 304 Not Modified\r\nETag: \"new\"\r\nVary: y\r\n\r\n");
    }
    SUBCASE("no tag where the backend sent none") {
        CHECK(edited_response(ok("Content-Length: 5\r\n"), changes) == ok("Content-Length: 12345\r\n"));
        changes.etag = {};
        CHECK(edited_response(ok("ETag: \"x\"\r\nContent-Length: 5\r\n"), changes) == ok("Content-Length: 12345\r\n"));
    }
}

TEST_CASE("trailers that would be untrue of an augmented body are left out") {
    CHECK(drop_stale_trailers("A: b\r\netag: x\r\nContent-MD5: y\r\nDigest: z\r\nC: d\r\n") == "A: b\r\nC: d\r\n");
    CHECK(drop_stale_trailers("").empty());
}

} // namespace edit_head_test
