// A body in very many small pieces is no special case: none of them waits for a time limit (a kernel takes 1024 pieces
// in one call).
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace tiny_chunks_test {

using namespace harness;
using namespace std::chrono_literals;

TEST_CASE("tiny chunks pass, dechunked for a client of HTTP/1.0 too") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    std::string payload(50'000, '\0');
    for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>('a' + i % 26);
    std::string version, expected;
    for (const std::size_t chunk : {1, 2, 7}) {
        const auto framed = chunked(payload, chunk);
        SUBCASE("HTTP/1.0") {
            version = "1.0";
            expected = payload;
        }
        SUBCASE("HTTP/1.1") {
            version = "1.1";
            expected = framed;
        }
        auto client = proxy.connect();
        client.send("GET / HTTP/" + version + "\r\nHost: a\r\nConnection: close\r\n\r\n");
        auto up = backend.accept();
        up.receive_head();
        up.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed);
        client.receive_head();
        const bool same = client.receive_rest() == expected;
        CHECK(same);
        CHECK(client.ended() == ending::fin);
    }
}

TEST_CASE("an upload of tiny chunks passes") {
    scripted_backend backend;
    sidecar_under_test proxy(backend);
    auto client = proxy.connect();
    const auto framed = chunked(std::string(50'000, 'x'), 1);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + framed);
    auto up = backend.accept();
    const bool same = up.receive_request().body == framed;
    CHECK(same);
}

} // namespace tiny_chunks_test
