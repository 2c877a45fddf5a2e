// The replies that the sidecar makes itself, without sockets.
#include "proxy/data_plane/local_reply.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace local_reply_test {

using namespace sidecar;

constexpr head_limits roomy{16 * 1024, 100, 8 * 1024};
constexpr std::string_view date = "Sat, 29 Oct 1994 19:43:31 GMT";

std::string replied(const local_reply& what, const std::string& request, const own_answers_config& config = {},
                    persistence client = persistence::keep_alive) {
    request_head head;
    std::size_t searched = 0;
    read_request_head(request, searched, roomy, head);
    buffer_pool pool;
    buffer out(pool);
    write_local_reply(what, head, config, client, date, out);
    return std::string(out.data());
}

own_answers_config without_cors() {
    own_answers_config config;
    config.cors_allow_origins.clear();
    return config;
}

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string from_portal = "GET / HTTP/1.1\r\nHost: a\r\nOrigin: https://portal\r\n\r\n";

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

TEST_CASE("a reply is whole: status, fields, and a body of the length that they say") {
    CHECK(
        replied(error_reply(400, "a bad request line"), get, without_cors(), persistence::close) ==
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 105\r\n"
        "Date: Sat, 29 Oct 1994 19:43:31 GMT\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
        R"({"error":400,"code":"not_provided","reason":"a bad request line","suggestion":"please check the request"})");
}

TEST_CASE("each error has its phrase") {
    for (const int status : {400, 404, 408, 412, 414, 431, 500, 501, 502, 503, 504}) {
        const auto text = replied(error_reply(status, "x"), get);
        const auto line = text.substr(0, text.find("\r\n"));
        CHECK(line.size() > std::string_view("HTTP/1.1 400 ").size());
        CHECK(line.starts_with("HTTP/1.1 " + std::to_string(status) + " "));
    }
    CHECK(has(replied(error_reply(501, "x"), get), "HTTP/1.1 501 Not Implemented\r\n"));
    CHECK(has(replied(error_reply(503, "x"), get), "\r\nRetry-After: "));
    CHECK_FALSE(has(replied(error_reply(502, "x"), get), "\r\nRetry-After: "));
}

TEST_CASE("a reply to HEAD has the fields of the GET's and no body") {
    const auto text = replied(error_reply(404, "x"), "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
    CHECK(text.ends_with("\r\n\r\n"));
    CHECK(text + R"({"error":404,"code":"not_provided","reason":"x","suggestion":"please check the request"})" ==
          replied(error_reply(404, "x"), get));
}

TEST_CASE("a reply to HTTP/1.0 says that the connection stays") {
    CHECK(has(replied(error_reply(404, "x"), "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
              "\r\nConnection: keep-alive\r\n"));
    CHECK_FALSE(has(replied(error_reply(404, "x"), get), "\r\nConnection"));
}

TEST_CASE("a browser may read a reply as far as the configuration allows") {
    own_answers_config config;
    config.cors_expose_headers = {"A", "B"};
    config.cors_allow_origins = {"*"};
    CHECK(has(replied(error_reply(404, "x"), from_portal, config),
              "\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: A, B\r\n"));
    CHECK_FALSE(has(replied(error_reply(404, "x"), get, config), "Access-Control"));
    config.cors_allow_origins = {"https://portal"};
    CHECK(has(replied(error_reply(404, "x"), from_portal, config),
              "\r\nVary: Origin\r\nAccess-Control-Allow-Origin: https://portal\r\n"));
    config.cors_allow_origins = {"https://other"};
    const auto refused = replied(error_reply(404, "x"), from_portal, config);
    CHECK(has(refused, "\r\nVary: Origin\r\n"));
    CHECK_FALSE(has(refused, "Access-Control"));
    CHECK_FALSE(has(replied(error_reply(404, "x"), from_portal, without_cors()), "Origin"));
}

TEST_CASE("configured fields go into every reply") {
    own_answers_config config;
    config.headers.push_back({"X-From", "sidecar"});
    CHECK(has(replied(error_reply(404, "x"), get, config), "\r\nX-From: sidecar\r\n"));
}

TEST_CASE("an error's body is one line of JSON") {
    CHECK(error_body({404, "", "c", "r", "s"}) == R"({"error":404,"code":"c","reason":"r","suggestion":"s"})");
    CHECK(error_body({400, "", "", "a \"b\" \\ \n\x01", "\xC3\xA9"}) ==
          "{\"error\":400,\"code\":\"\",\"reason\":\"a \\\"b\\\" \\\\ \\n\\u0001\",\"suggestion\":\"\xC3\xA9\"}");
}

} // namespace local_reply_test
