#include "proxy/log/json_line.hpp"

#include <doctest/doctest.h>

#include <limits>

namespace json_line_test {

using namespace sidecar;
using namespace std::chrono_literals;

// Behind what each line begins with.
template <class Add>
std::string made(Add add) {
    std::string memory = "of the line before";
    json_line line(memory, "T", log_level::info, "request");
    add(line);
    const std::string whole(line.end());
    const std::string begin = R"({"time":"T","level":"info","msg":"request")";
    REQUIRE(whole.starts_with(begin));
    REQUIRE(whole.ends_with("}\n"));
    return whole.substr(begin.size(), whole.size() - begin.size() - 2);
}

TEST_CASE("a line is made of names and values") {
    CHECK(made([](auto&) {}) == "");
    CHECK(made([](auto& line) {
              line.add("method", "GET").add_word("action", "forward").add("status", 200).add("retried", true);
              line.add("bytes_in", std::uint64_t{18'446'744'073'709'551'615U}).add("left", std::int64_t{-1});
              line.add("share", 0.25).add("never", std::numeric_limits<double>::infinity());
          }) == R"(,"method":"GET","action":"forward","status":200,"retried":true,"bytes_in":18446744073709551615)"
                R"(,"left":-1,"share":0.25,"never":null)");
}

TEST_CASE("a duration is in seconds, to the microsecond") {
    const auto took = [](std::chrono::nanoseconds value) { return made([&](auto& line) { line.add("d", value); }); };
    CHECK(took(0ns) == R"(,"d":0.000000)");
    CHECK(took(1500ns) == R"(,"d":0.000001)");
    CHECK(took(12'345'678us) == R"(,"d":12.345678)");
    CHECK(took(-1s) == R"(,"d":0.000000)");
}

TEST_CASE("a value of others' is cut at 256 bytes, and escaped") {
    const auto logged = [](std::string_view value) { return made([&](auto& line) { line.add("v", value); }); };
    CHECK(logged(std::string(256, 'x')) == ",\"v\":\"" + std::string(256, 'x') + "\"");
    CHECK(logged(std::string(125'000, 'x')) == ",\"v\":\"" + std::string(256, 'x') + "…\"");
    CHECK(logged(std::string(255, 'x') + "€") == ",\"v\":\"" + std::string(255, 'x') + "…\"");
    CHECK(logged("a\"b\u202e\n") == R"(,"v":"a\"b\u202e\n")");
    CHECK(logged(std::string(125'000, '\0')).size() == 6 + 256 * 6 + 4); // six times as much, at most
}

TEST_CASE("of a target the path is logged: no query, no userinfo") {
    CHECK(loggable_target("/api/v1/projects?token=secret") == "/api/v1/projects");
    CHECK(loggable_target("/a//b:c@d/") == "/a//b:c@d/");
    CHECK(loggable_target("http://u:PASSWORD@h/a?b") == "/a");
    CHECK(loggable_target("http://u:PASSWORD@h") == "/");
    CHECK(loggable_target("http://u:PASSWORD@h?b") == "/");
    CHECK(loggable_target("u:PASSWORD@h:443") == "h:443");
    CHECK(loggable_target("*") == "*");
    CHECK(loggable_target("") == "");
}

} // namespace json_line_test
