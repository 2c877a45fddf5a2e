// A body that was under way when its request failed is never taken for the client's next request.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace upload_rest_test {

using namespace harness;
using namespace std::chrono_literals;

TEST_CASE("what is left of a body whose request has failed is not the next request") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.upstream.write_timeout = c.upstream.response_timeout = 1s; });
    bool stalls = false;
    SUBCASE("the backend sends rubbish") {}
    SUBCASE("the backend takes no more") { stalls = true; }
    const std::string smuggled = "DELETE /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for (const std::size_t repeated : {7'000U, 70'000U, 150'000U, 200'000U}) {
        std::string body;
        for (std::size_t i = 0; i < repeated; ++i) body += smuggled;
        auto client = proxy.connect();
        const auto head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n";
        client.send(head);
        auto up = backend.accept();
        CHECK(up.receive_head() == head);
        client.send_until_stalled(body, 50ms); // and nobody reads it
        if (!stalls) up.send("GARBAGE\r\n\r\n");
        const auto status = status_of(client.receive_head());
        CHECK((status == 502 || status == 504));
        client.end_writing();
        client.discard_rest();
        CHECK(backend.untouched());
    }
}

} // namespace upload_rest_test
