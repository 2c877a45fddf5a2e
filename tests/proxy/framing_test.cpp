// Where messages end, in every framing, and where two versions of HTTP meet (docs/behaviour.md 2.1, 2.2).
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace framing_test {

using namespace harness;
using namespace std::chrono_literals;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// What the client gets for this request when the backend says that, up to the end if the backend or the sidecar ends
// it.
struct fixture {
    scripted_backend backend;
    sidecar_under_test proxy{backend};
    wire client = proxy.connect();
    wire up;

    std::string forwarded(const std::string& request) {
        client.send(request);
        up = backend.accept();
        return up.receive_request().bytes();
    }
    // The connection is in step: another request is answered on it.
    void check_next_exchange() {
        client.send(get);
        backend.await_request(up);
        CHECK(up.receive_head() == get);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }
};

TEST_CASE_FIXTURE(fixture, "after each framing the connections are in step") {
    std::string answer;
    std::string request = get;
    SUBCASE("length") { answer = ok; }
    SUBCASE("no byte") { answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"; }
    SUBCASE("chunks") { answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nA: b\r\n\r\n"; }
    SUBCASE("204") { answer = "HTTP/1.1 204 No Content\r\n\r\n"; }
    SUBCASE("304") { answer = "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"; }
    SUBCASE("HEAD with a length") {
        request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
        answer = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n";
    }
    SUBCASE("HEAD with chunks") {
        request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
        answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    }
    SUBCASE("HEAD with neither") {
        request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
        answer = "HTTP/1.1 404 Not Found\r\n\r\n";
    }
    SUBCASE("interim answers") {
        answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok;
    }
    SUBCASE("a body up") { request = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", answer = ok; }
    SUBCASE("chunks up") {
        request = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n";
        answer = ok;
    }
    CHECK(forwarded(request) == request);
    up.send(answer);
    CHECK(client.receive(answer.size()) == answer);
    check_next_exchange();
}

TEST_CASE_FIXTURE(fixture, "an HTTP/1.0 client is told of no chunks, also where no body follows") {
    client.send("HEAD / HTTP/1.0\r\nHost: a\r\n\r\n");
    auto from = backend.accept();
    from.receive_head();
    SUBCASE("200") { from.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); }
    SUBCASE("304") { from.send("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n"); }
    const auto head = client.receive_rest();
    CHECK(status_of(head) != 0);
    CHECK_FALSE(field_of(head, "Transfer-Encoding"));
}

TEST_CASE_FIXTURE(fixture, "interim answers go on as they come, before the final one is there") {
    forwarded(get);
    for (const std::string interim :
         {"HTTP/1.1 102 Processing\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"}) {
        up.send(interim);
        CHECK(client.receive(interim.size()) == interim);
    }
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE_FIXTURE(fixture, "hop-by-hop fields are left out of interim answers too") {
    forwarded(get);
    up.send("HTTP/1.1 103 Early Hints\r\nA: b\r\nConnection: x-hop\r\nX-Hop: c\r\n\r\n" + ok);
    CHECK(client.receive_head() == "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n");
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE_FIXTURE(fixture, "an answer until the end ends the client's connection") {
    forwarded(get);
    up.send("HTTP/1.1 200 OK\r\n\r\nhello");
    up.close();
    CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    CHECK(client.ended() == ending::fin);
}

TEST_CASE_FIXTURE(fixture, "a client that wants the connection closed gets it closed") {
    CHECK(forwarded("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") == get);
    up.send(ok);
    CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}

TEST_CASE_FIXTURE(fixture, "Connection: close of the backend is not the client's") {
    forwarded(get);
    up.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    up.close();
    CHECK(client.receive(ok.size()) == ok);
    client.send(get);
    up = backend.accept();
    CHECK(up.receive_head() == get);
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
}

TEST_CASE_FIXTURE(fixture, "an HTTP/1.0 client") {
    SUBCASE("speaks HTTP/1.1 to the backend through us, and its connection is closed") {
        CHECK(forwarded("GET /x HTTP/1.0\r\nA: b\r\n\r\n") ==
              "GET /x HTTP/1.1\r\nA: b\r\nHost: 127.0.0.1:" + std::to_string(backend.port()) + "\r\n\r\n");
        up.send(ok);
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }
    SUBCASE("keeps its Host") {
        CHECK(forwarded("GET /x HTTP/1.0\r\nHost: h\r\nA: b\r\n\r\n") == "GET /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n");
    }
    SUBCASE("gets no chunks") {
        forwarded("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        up.send("HTTP/1.1 200 OK\r\nTrailer: B\r\nTransfer-Encoding: chunked\r\nA: b\r\n\r\n5;x=y\r\nhello\r\n6\r\n "
                "world\r\n0\r\nB: c\r\n\r\n");
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nhello world");
        CHECK(client.ended() == ending::fin);
    }
    SUBCASE("gets no interim answers") {
        forwarded("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        up.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + ok);
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }
    SUBCASE("gets an answer until the end") {
        forwarded("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        up.send("HTTP/1.1 200 OK\r\n\r\nhello");
        up.close();
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
    }
    SUBCASE("sends a body with a length") {
        CHECK(forwarded("POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi") ==
              "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi");
    }
    SUBCASE("may keep its connection if it asks for it") {
        CHECK(forwarded("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n") == get);
        up.send(ok);
        const std::string kept = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nok";
        CHECK(client.receive(kept.size()) == kept);
        check_next_exchange();
    }
    SUBCASE("may not keep it if it says both") {
        forwarded("GET / HTTP/1.0\r\nHost: a\r\nConnection: close, keep-alive\r\n\r\n");
        up.send(ok);
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
    }
    SUBCASE("may not keep it where its answer has no length") {
        forwarded("GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n");
        up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n");
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nok");
    }
    SUBCASE("sees that a chunked answer was cut short") {
        forwarded("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
        up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe");
        up.close();
        client.receive_rest(); // its framing is the end: only a reset tells
        CHECK(client.ended() == ending::reset);
    }
}

TEST_CASE_FIXTURE(fixture, "an HTTP/1.0 backend") {
    forwarded(get);
    SUBCASE("with a length: the client's connection is kept, the backend's is not") {
        up.send("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok");
        CHECK(client.receive(ok.size()) == ok);
        client.send(get);
        auto fresh = backend.accept();
        CHECK(fresh.receive_head() == get);
    }
    SUBCASE("until the end") {
        up.send("HTTP/1.0 200 OK\r\nA: b\r\n\r\nhello");
        up.close();
        CHECK(client.receive_rest() == "HTTP/1.1 200 OK\r\nA: b\r\nConnection: close\r\n\r\nhello");
    }
    SUBCASE("with an empty reason") {
        up.send("HTTP/1.0 404 \r\nContent-Length: 0\r\n\r\n");
        CHECK(client.receive_head() == "HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n");
    }
}

TEST_CASE_FIXTURE(fixture, "a client that ends its side after its request still gets the answer") {
    client.send(get);
    client.end_writing();
    up = backend.accept();
    CHECK(up.receive_head() == get);
    up.send(ok);
    const auto answer = client.receive_rest();
    CHECK(answer.ends_with("\r\n\r\nok"));
    CHECK(client.ended() == ending::fin);
}

TEST_CASE_FIXTURE(fixture, "Proxy-Connection says nothing about the connection") {
    CHECK(forwarded("GET / HTTP/1.1\r\nHost: a\r\nProxy-Connection: close\r\n\r\n") == get);
    up.send(ok);
    CHECK(client.receive(ok.size()) == ok);
    check_next_exchange();
}

TEST_CASE_FIXTURE(fixture, "a trailer says nothing about the connection") {
    forwarded(get);
    const std::string answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Close: close\r\n\r\n";
    up.send(answer);
    CHECK(client.receive(answer.size()) == answer);
    check_next_exchange();
}

} // namespace framing_test
