#include "proxy/http/http_url.hpp"

#include <doctest/doctest.h>

namespace http_url_test {

using namespace sidecar;

TEST_CASE("a URL's parts") {
    const auto url = parse_http_url("http://127.0.0.1:3000/internal/consistency?x=1&y");
    REQUIRE(url.has_value());
    CHECK_FALSE(url->tls);
    CHECK(url->origin == endpoint{"127.0.0.1", 3000});
    CHECK(url->host_field == "127.0.0.1:3000");
    CHECK(url->target == "/internal/consistency?x=1&y");
    CHECK(url->path == "/internal/consistency");
}

TEST_CASE("ports and paths that are left out") {
    CHECK(parse_http_url("http://dds")->origin.port == 80);
    CHECK(parse_http_url("HTTPS://dds")->origin.port == 443);
    CHECK(parse_http_url("https://dds:443/")->host_field == "dds");
    CHECK(parse_http_url("http://dds:443/")->host_field == "dds:443");
    CHECK(parse_http_url("http://dds")->target == "/");
    CHECK(parse_http_url("http://dds?x")->target == "/?x");
}

TEST_CASE("IPv6 is in brackets in the URL and in Host, and without in the address") {
    const auto url = parse_http_url("http://[::1]:3000/x");
    CHECK(url->origin == endpoint{"::1", 3000});
    CHECK(url->host_field == "[::1]:3000");
    CHECK(parse_http_url("https://[::1]")->host_field == "[::1]");
}

TEST_CASE("what is no such URL says why") {
    for (const char* text :
         {"", "dds", "ftp://dds/", "http://", "http:///x", "http://:80/", "http://dds:0/", "http://dds:65536/",
          "http://dds:x/", "http://dds:/", "http://u:p@dds/", "http://[::1/", "http://[::1]x/", "http://dds/a b",
          "http://dds/\r\nX: y", "http://dds/#f", "http://dds/\xc3\xa4"}) {
        CAPTURE(text);
        const auto url = parse_http_url(text);
        REQUIRE_FALSE(url.has_value());
        CHECK_FALSE(url.error().message.empty());
    }
}

} // namespace http_url_test
