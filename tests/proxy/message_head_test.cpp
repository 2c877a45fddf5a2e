// The head readers, without sockets: what is refused and why, what is read out of a head, and that neither depends on
// how its bytes were cut.
#include "proxy/data_plane/message_head.hpp"
#include "tests/peers/cases.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace message_head_test {

using namespace sidecar;
using namespace std::string_literals;

constexpr head_limits roomy{128 * 1024, 100, 8 * 1024 + 1};

head_status read(std::string_view bytes, request_head& into, const head_limits& limits = roomy) {
    std::size_t searched = 0;
    return read_request_head(bytes, searched, limits, into);
}
head_status read(std::string_view bytes, response_head& into, const head_limits& limits = roomy) {
    std::size_t searched = 0;
    return read_response_head(bytes, searched, limits, false, into);
}

// A head together with the bytes that it views.
template <class Head>
struct kept : Head {
    std::string text;
};

template <class Head>
head_status read(std::string_view text, kept<Head>& into) {
    into.text = text;
    return read(std::string_view(into.text), static_cast<Head&>(into));
}

head_status read_next(std::string_view bytes, std::size_t& searched, request_head& into, const head_limits& limits) {
    return read_request_head(bytes, searched, limits, into);
}
head_status read_next(std::string_view bytes, std::size_t& searched, response_head& into, const head_limits& limits) {
    return read_response_head(bytes, searched, limits, false, into);
}

template <class Head>
head_status status_of(std::string_view bytes, const head_limits& limits = roomy) {
    Head head;
    return read(bytes, head, limits);
}
head_status request(std::string_view bytes, const head_limits& limits = roomy) {
    return status_of<request_head>(bytes, limits);
}
head_status response(std::string_view bytes) { return status_of<response_head>(bytes); }

std::string get(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }
std::string post(std::string_view lines) { return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }
std::string ok(std::string_view lines) { return "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n"; }

// What a reader says of bytes that come in two pieces, or one by one, in memory that moves in between.
template <class Head>
void check_cuts(std::string_view bytes, const head_limits& limits = roomy) {
    Head whole;
    const auto expected = read(bytes, whole, limits);
    const auto check = [&](head_status seen, const Head& head, const std::string& how) {
        if (seen == expected && head.bytes == whole.bytes && head.body.how == whole.body.how &&
            std::string_view(head.complaint) == whole.complaint && head.fields.size() == whole.fields.size())
            return;
        FAIL_CHECK("cut ", how, ": ", static_cast<int>(seen), " ", head.complaint, ", not ", static_cast<int>(expected),
                   " ", whole.complaint);
    };
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        std::size_t searched = 0;
        Head head;
        auto seen = head_status::need_more;
        std::vector<char> first(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut));
        seen = read_next({first.data(), first.size()}, searched, head, limits);
        if (seen == head_status::need_more) {
            if (!head.fields.empty() || !head.start_line.empty() || head.consumed) FAIL_CHECK("it holds something");
            first.clear();
            first.shrink_to_fit();
            seen = read_next(bytes, searched, head, limits);
        }
        check(seen, head, std::to_string(cut));
    }
    std::size_t searched = 0;
    Head head;
    auto seen = head_status::need_more;
    for (std::size_t n = 1; n <= bytes.size() && seen == head_status::need_more; ++n)
        seen = read_next(bytes.substr(0, n), searched, head, limits);
    check(seen, head, "into bytes");
}

template <class Cases>
void check_transparent(const Cases& all) {
    for (const auto& one : all) {
        CAPTURE(one.name);
        request_head asked;
        CHECK(read(one.sent, asked) == head_status::complete);
        if (one.sent.size() < 4000) check_cuts<request_head>(one.sent.substr(0, asked.consumed));
        std::string_view responses = one.answered;
        response_head answered;
        do {
            REQUIRE(read(responses, answered) == head_status::complete);
            if (answered.consumed < 4000) check_cuts<response_head>(responses.substr(0, answered.consumed));
            responses.remove_prefix(answered.consumed);
        } while (answered.is_interim());
    }
}

void check_hostile(const std::vector<cases::hostile_request>& all) {
    for (const auto& one : all) {
        CAPTURE(one.name);
        request_head head;
        const auto seen = read(one.bytes, head);
        CHECK(seen != head_status::complete);
        CHECK(seen != head_status::need_more);
        CHECK(head.complaint != ""s);
        check_cuts<request_head>(one.bytes);
    }
}

TEST_CASE("a head is read the same however it is cut") {
    check_transparent(cases::targets());
    check_transparent(cases::request_heads());
    check_transparent(cases::request_bodies());
    check_transparent(cases::hop_by_hop());
    check_transparent(cases::answer_heads());
    check_transparent(cases::answer_bodies());
}

TEST_CASE("a hostile request is refused for the same reason however it is cut") {
    check_hostile(cases::hostile_framing());
    check_hostile(cases::hostile_hosts());
    check_hostile(cases::hostile_targets());
    check_hostile(cases::hostile_lines());
}

TEST_CASE("a hostile response is refused for the same reason however it is cut") {
    for (const auto& one : cases::hostile_answers()) {
        CAPTURE(one.name);
        check_cuts<response_head>(one.bytes);
    }
}

TEST_CASE("limits bind the same however a head is cut") {
    constexpr head_limits narrow{256, 8, 32};
    const std::string many(9 * 6, 'x');
    for (const auto& bytes :
         {get("A: " + std::string(300, 'a') + "\r\n"), get("A:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n"),
          "GET /" + std::string(100, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", "GET /" + std::string(400, 'a'),
          std::string(400, 'a'), "\r\n\r\n\r\n" + get("A: " + std::string(240, 'a') + "\r\n"), get("") + many,
          get("A: " + std::string(256 - get("A: \r\n").size(), 'a') + "\r\n"),
          get("A: " + std::string(257 - get("A: \r\n").size(), 'a') + "\r\n"),
          "GET /" + std::string(31, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n",
          "GET /" + std::string(32, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"})
        check_cuts<request_head>(bytes, narrow);
    CHECK(request(get("A: " + std::string(256 - get("A: \r\n").size(), 'a') + "\r\n"), narrow) ==
          head_status::complete);
    CHECK(request(get("A: " + std::string(257 - get("A: \r\n").size(), 'a') + "\r\n"), narrow) ==
          head_status::header_too_large);
    CHECK(request("GET /" + std::string(31, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", narrow) == head_status::complete);
    CHECK(request("GET /" + std::string(32, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n", narrow) ==
          head_status::target_too_long);
    CHECK(request(std::string(256, 'a'), narrow) == head_status::header_too_large);
    CHECK(request(get("A:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n"), narrow) == head_status::complete);
    CHECK(request(get("A:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\nA:b\r\n"), narrow) ==
          head_status::too_many_fields);
}

TEST_CASE("empty lines before a request count as part of its head, and are 511 at most") {
    std::string blank;
    for (int i = 0; i < 511; ++i) blank += "\r\n";
    CHECK(request(blank + get("")) == head_status::complete);
    CHECK(request(blank + "\r\n" + get("")) == head_status::header_too_large);
    CHECK(request(blank + "\r\n") == head_status::header_too_large);
    CHECK(request("\r\n" + get("A: " + std::string(256 - get("A: \r\n").size(), 'a') + "\r\n"), {256, 8, 32}) ==
          head_status::header_too_large);
    check_cuts<request_head>(blank + "\r\n" + get(""));
}

TEST_CASE("what can't become a head is refused at once and not waited for") {
    CHECK(request("\x16\x03") == head_status::malformed); // the hello of TLS
    CHECK(request("\x80") == head_status::malformed);
    CHECK(request("{") == head_status::malformed);
    CHECK(request(" ") == head_status::malformed);
    CHECK(request("\n") == head_status::malformed);
    CHECK(request("\rG") == head_status::malformed);
    CHECK(request("GET / HTTP/1.1\n") == head_status::malformed);
    CHECK(request("GET / HTTP/1.1\r\nHost: a\n") == head_status::malformed);
    CHECK(request("GET / HTTP/1.1\r\nHost: a\r\n\n") == head_status::malformed);
    CHECK(request("GET / HTTP/1.1\r\nHost: a\r\rb") == head_status::malformed);
    CHECK(request("GET / HTTP/1.1\r\nHost: \x01") == head_status::malformed);
    CHECK(request("GET /\x7f") == head_status::malformed);
    CHECK(request("PRI * HTTP/2.0\r\n") == head_status::malformed);
    CHECK(request("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n") == head_status::malformed);
    CHECK(request("GET /\r\n") == head_status::malformed);
    CHECK(response("ICY") == head_status::malformed);
    CHECK(response("HTTP/1.1 20\r\n") == head_status::malformed);
    CHECK(request("") == head_status::need_more);
    CHECK(request("\r") == head_status::need_more);
    CHECK(request("\r\n\r\n") == head_status::need_more);
    CHECK(request("GET / HTTP/1.1\r\nHost: a\r\n\r") == head_status::need_more);
    CHECK(response("HTTP/1.") == head_status::need_more);
}

TEST_CASE("a head owns its bytes: what is read behind it leaves it as it was") {
    buffer_pool pool;
    buffer in(pool);
    in.append("\r\n" + get("Authorization: secret\r\n") + "GET /next HTTP/1.1\r\n");
    request_head head;
    std::size_t searched = 0;
    REQUIRE(read_request_head(in.data(), searched, roomy, head) == head_status::complete);
    head.storage = in.take_front(head.consumed);
    CHECK(in.data() == "GET /next HTTP/1.1\r\n");
    in.append(std::string(10'000, 'x'));
    CHECK(head.bytes == get("Authorization: secret\r\n"));
    CHECK(head.view().find("authorization")->value == "secret");
}

TEST_CASE("a head that is refused can be kept too, for the log") {
    buffer_pool pool;
    buffer in(pool);
    in.append("GET /x HTTP/1.1\r\nHost: a\r\nA\r\n\r\n");
    request_head head;
    std::size_t searched = 0;
    REQUIRE(read_request_head(in.data(), searched, roomy, head) == head_status::malformed);
    head.storage = in.take_front(head.consumed);
    in.append(std::string(10'000, 'x'));
    CHECK(head.method == "GET");
    CHECK(head.target == "/x");
    CHECK(head.complaint == "a bad field name"s);
}

TEST_CASE("an unusual head leaves no memory behind") {
    std::string lines;
    for (int i = 0; i < 60; ++i) lines += "X: y\r\n";
    kept<request_head> head;
    const auto usual = head.fields.capacity();
    REQUIRE(read(get(lines), head) == head_status::complete);
    CHECK(head.fields.size() == 61);
    head.clear();
    CHECK(head.fields.capacity() == usual);
    CHECK(head.kinds.capacity() == usual);
}

TEST_CASE("Connection holds 64 options at most") {
    std::string options = "a";
    for (int i = 1; i < 64; ++i) options += ",a";
    kept<request_head> head;
    CHECK(read(get("Connection: " + options + "\r\n"), head) == head_status::complete);
    CHECK(head.nominated.size() == 64);
    CHECK(request(get("Connection: " + options + ",close\r\n")) == head_status::malformed);
    CHECK(request(get("Connection: " + options + "\r\nConnection: b\r\n")) == head_status::malformed);
    CHECK(request(get("Connection: " + std::string(60'000, ',') + "\r\n")) == head_status::complete);
    CHECK(response(ok("Connection: " + options + ",b\r\n")) == head_status::malformed);
}

TEST_CASE("bytes above ASCII in a target are as good as others") {
    kept<request_head> head;
    CHECK(read("GET /x?q=M\xc3\xbcller\xff HTTP/1.1\r\nHost: a\r\n\r\n", head) == head_status::complete);
    CHECK(head.path == "/x?q=M\xc3\xbcller\xff");
    CHECK(head.odd_target);
    CHECK(request("GET http://m\xc3\xbcller/ HTTP/1.1\r\nHost: a\r\n\r\n") == head_status::malformed);
}

TEST_CASE("a later HTTP/1 is read as HTTP/1.1") {
    kept<request_head> head;
    CHECK(read("GET / HTTP/1.2\r\nHost: a\r\n\r\n", head) == head_status::complete);
    CHECK(head.minor_version == 1);
    CHECK(head.persistent());
    kept<response_head> answered;
    CHECK(read("HTTP/1.9 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", answered) == head_status::complete);
    CHECK(answered.minor_version == 1);
    CHECK(request("GET / HTTP/1.10\r\nHost: a\r\n\r\n") == head_status::malformed);
    CHECK(request("GET / HTTP/1.0\r\n\r\n") == head_status::complete);
}

TEST_CASE("an unknown transfer coding is not implemented, an ambiguous one is malformed") {
    for (const auto* const coding : {"gzip", "gzip, chunked", "identity", "xchunked", "gzip;q=1, chunked", "br,gzip"})
        CHECK_MESSAGE(request(post("Transfer-Encoding: "s + coding + "\r\n")) == head_status::not_implemented, coding);
    for (const auto* const coding :
         {"", "chunked, gzip", "chunked, chunked", "chunked;q=1", "\"chunked\"", "chunked,", ", chunked", "chun ked",
          "gzip, , chunked", "\tchunked", "chunked\t", " \tchunked"})
        CHECK_MESSAGE(request(post("Transfer-Encoding: "s + coding + "\r\n")) == head_status::malformed, coding);
    CHECK(request(post("Transfer-Encoding: gzip\r\nContent-Length: 1\r\n")) == head_status::malformed);
    CHECK(request("POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n") == head_status::malformed);
    CHECK(response(ok("Transfer-Encoding: gzip\r\n")) == head_status::malformed);
}

TEST_CASE("a tab around a framing field's value is refused, around others not") {
    CHECK(request(post("Transfer-Encoding:\tchunked\r\n")) == head_status::malformed);
    CHECK(request(post("Content-Length:\t5\r\n")) == head_status::malformed);
    CHECK(request(post("Content-Length: 5\t\r\n")) == head_status::malformed);
    CHECK(response(ok("Content-Length: 5\t\r\n")) == head_status::malformed);
    CHECK(request(post("A:\tb\t\r\n")) == head_status::complete);
    CHECK(request(post("Content-Length:    5  \r\n")) == head_status::complete);
}

TEST_CASE("a host is a name, an IPv4 or an IPv6 address, or a later one") {
    const auto host = [](const std::string& text) { return request("GET / HTTP/1.1\r\nHost: " + text + "\r\n\r\n"); };
    for (const auto* const good : {"", "a", "a.", "a:80", "a:", "a'b", "a_b", "%41", "1.2.3.4:1", "[::]", "[::1]:80",
                                   "[1:2:3:4:5:6:7:8]", "[::ffff:1.2.3.4]", "[2001:DB8::1]", "[v1.a]", "[vF.a:b]:80"})
        CHECK_MESSAGE(host(good) == head_status::complete, good);
    for (const auto* const bad :
         {"[1::2::3]", "[12345::]", "[:::]", "[:]", "[1:2:3:4:5:6:7:8:9]", "[::1.2.3]", "[v.a]", "[v1.]", "[vg.a]",
          "[v1a]", "[::1%25eth0]", "[::1%eth0]", "[1.2.3.4]", "a,b", "[::1]a"})
        CHECK_MESSAGE(host(bad) == head_status::malformed, bad);
}

TEST_CASE("Content-Length: 0 is no body") {
    kept<request_head> head;
    CHECK(read("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", head) == head_status::complete);
    CHECK_FALSE(head.has_body());
    CHECK(read("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n", head) == head_status::complete);
    CHECK(head.has_body());
}

TEST_CASE("an interim response ends with its head whatever it says of a body") {
    for (const auto* const lines : {"Content-Length: 0\r\n", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n",
                                    "Content-Length: x\r\n", "Content-Length: 1\r\nContent-Length: 2\r\n"}) {
        for (const auto* const status : {"100 Continue", "101 Switching Protocols", "103 Early Hints"}) {
            kept<response_head> head;
            CHECK(read("HTTP/1.1 "s + status + "\r\n" + lines + "\r\n", head) == head_status::complete);
            CHECK(head.body.how == body_framing::kind::none);
        }
    }
    CHECK(response("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n") == head_status::complete);
    CHECK(response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n") == head_status::malformed);
}

TEST_CASE("a blank before the colon is let pass in a response alone") {
    kept<response_head> head;
    CHECK(read(ok("Foo \t: bar\r\nContent-Length : 5\r\n"), head) == head_status::complete);
    CHECK(head.fields[0].name == "Foo");
    CHECK(head.fields[0].value == "bar");
    CHECK(head.body.length == 5);
    CHECK(request(get("Foo : bar\r\n")) == head_status::malformed);
    CHECK(response(ok(" Foo: bar\r\n")) == head_status::malformed);
    CHECK(response(ok("Foo bar: x\r\n")) == head_status::malformed);
}

TEST_CASE("an upgrade counts where websocket is among the protocols; a 101 where it is the only one") {
    const auto upgrades = [](std::string_view lines) {
        kept<request_head> head;
        CHECK(read(get(lines), head) == head_status::complete);
        return head.upgrades_to_websocket;
    };
    CHECK(upgrades("Connection: Upgrade\r\nUpgrade: WebSocket\r\n"));
    CHECK(upgrades("Connection: keep-alive, upgrade\r\nUpgrade: h2c, websocket\r\n"));
    CHECK(upgrades("Connection: Upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket\r\n"));
    CHECK_FALSE(upgrades("Upgrade: websocket\r\n"));
    CHECK_FALSE(upgrades("Connection: Upgrade\r\nUpgrade: h2c\r\n"));
    CHECK_FALSE(upgrades("Connection: Upgrade\r\nUpgrade: websocket/13\r\n"));
    const auto switches = [](const std::string& lines) {
        kept<response_head> head;
        CHECK(read("HTTP/1.1 101 Switching Protocols\r\n" + lines + "\r\n", head) == head_status::complete);
        return head.switches_to_websocket;
    };
    CHECK(switches("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    CHECK_FALSE(switches("Connection: Upgrade\r\nUpgrade: h2c\r\n"));
    CHECK_FALSE(switches("Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"));
    CHECK_FALSE(switches("Connection: Upgrade\r\nUpgrade: websocket\r\nUpgrade: h2c\r\n"));
    CHECK_FALSE(switches("Connection: Upgrade\r\n"));
}

TEST_CASE("an expectation is found among others, in one field or in several") {
    const auto expects = [](const std::string& lines) {
        kept<request_head> head;
        CHECK(read("POST / HTTP/1.1\r\nHost: a\r\n" + lines + "Content-Length: 1\r\n\r\n", head) ==
              head_status::complete);
        return head.expects_continue;
    };
    CHECK(expects("Expect: 100-continue, x\r\n"));
    CHECK(expects("Expect: x=y ,\t100-CONTINUE\r\n"));
    CHECK(expects("Expect: ,, 100-continue ,\r\n"));
    CHECK(expects("Expect: x\r\nexpect: 100-continue\r\n"));
    CHECK_FALSE(expects("Expect: 100-continues, x\r\n"));
    CHECK_FALSE(expects("Expect: x 100-continue\r\n"));
    CHECK_FALSE(expects("Expect:\r\n"));
}

TEST_CASE("an expectation of an HTTP/1.0 client does not count") {
    kept<request_head> head;
    CHECK(read("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n", head) ==
          head_status::complete);
    CHECK(head.expects_continue);
    CHECK(read("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n", head) == head_status::complete);
    CHECK_FALSE(head.expects_continue);
}

} // namespace message_head_test
