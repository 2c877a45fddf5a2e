// What a log line shows of a request is that request's own (docs/behaviour.md 8).
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

namespace log_privacy_test {

using namespace harness;
using namespace std::chrono_literals;

constexpr std::string_view late = R"("status":408)";

std::string filled(std::string head, std::size_t size) { return head.append(size - head.size(), 'x'); }

// The buffer that a partial head has outgrown goes to whoever reads next.
TEST_CASE("the line of a head that never came whole shows nothing of another client's request") {
    scripted_backend backend;
    sidecar_under_test proxy(backend, [](config& c) { c.downstream.header_timeout = 150ms; });
    std::string begin;
    SUBCASE("within its target") { begin = "GET /"; }
    SUBCASE("within a field") { begin = "GET /partial HTTP/1.1\r\nHost: a\r\nA: "; }
    for (const std::size_t size : {4096, 8192, 16'384, 16'385, 32'767, 32'769}) {
        CAPTURE(size);
        auto silent = proxy.connect();
        silent.send(filled(begin, size));
        CHECK(silent.stays_silent(20ms)); // it has been read
        auto victim = proxy.connect();
        victim.send("GET /victim HTTP/1.1\r\nHost: a\r\nAuthorization: s3cret\r\n\r\n");
        auto up = backend.accept();
        up.receive_head();
        const auto refusal = silent.receive_head();
        CHECK((refusal.starts_with("HTTP/1.1 408 ") || refusal.starts_with("HTTP/1.1 414 ")));
        up.reset();
    }
    const auto lines = proxy.await_log(late);
    CHECK(lines.find("s3cret") == std::string::npos);
    for (std::size_t at = lines.find(late); at != std::string::npos; at = lines.find(late, at + 1)) {
        const auto from = lines.rfind('\n', at) + 1;
        const auto line = lines.substr(from, lines.find('\n', at) - from);
        CHECK_MESSAGE(line.find("victim") == std::string::npos, line);
    }
}

} // namespace log_privacy_test
