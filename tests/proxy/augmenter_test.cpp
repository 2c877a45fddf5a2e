// What becomes of a response that is augmented, without a socket.
#include "proxy/data_plane/augmenter.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>

namespace augmenter_test {

using namespace sidecar;
using namespace std::string_literals;

constexpr std::string_view consistency = R"({"is_download_ready":true})";
constexpr std::string_view inserted = R"(,"info":{"resource_consistency":{"is_download_ready":true}})";

struct asked {
    std::string fields;
    std::string method = "GET";
    int minor_version = 1;
    std::size_t body_bytes_max = 1024;
};

// As the client gets it. `unmodified`: why, and then what is held is all of `rest`.
struct outcome {
    std::optional<not_augmented> unmodified;
    bool by_head = false; // judged by its head alone
    int status = 0;
    std::string head;
    std::string rest;
    std::size_t held_bytes = 0;

    bool operator==(const outcome&) const = default;
};

std::string request_text(const asked& by) {
    return by.method + " /api/v1/files/x/url?info HTTP/1." + std::to_string(by.minor_version) + "\r\nHost: a\r\n" +
           by.fields + "\r\n";
}

// The body's bytes come in two pieces, or each alone where `cut` is npos.
outcome respond(std::string_view head_text, std::string body, const asked& by = {}, std::size_t cut = 0) {
    constexpr head_limits limits{64 * 1024, 100, 8 * 1024};
    const auto text = request_text(by);
    const std::string response_text = std::string(head_text) + "\r\n";
    request_head request;
    response_head response;
    std::size_t searched = 0;
    REQUIRE(read_request_head(text, searched, limits, request) == head_status::complete);
    searched = 0;
    REQUIRE(read_response_head(response_text, searched, limits, by.method == "HEAD", response) ==
            head_status::complete);

    const augment what{std::string(consistency), by.method == "HEAD"};
    augmenter under_test(what, request, by.body_bytes_max);
    outcome seen;
    seen.unmodified = under_test.reject(response);
    seen.by_head = seen.unmodified.has_value();
    if (seen.by_head) return seen;

    body_reader reader(response.body, {4096, 4096}, by.minor_version == 0 ? dechunk::yes : dechunk::no);
    std::string expected; // what travels on unmodified
    bool may_hold = true;
    for (std::size_t at = 0; at < body.size() && !reader.done();) {
        const auto end = cut == std::string::npos ? at + 1 : at < cut ? cut : body.size();
        std::span<char> piece(body.data() + at, end - at);
        while (!piece.empty() && !reader.done() && may_hold) {
            const auto taken = reader.take(piece, &under_test);
            REQUIRE(reader.failed() == body_reader::fault::none);
            expected += taken.out;
            may_hold = under_test.collect(taken.out);
            piece = piece.subspan(taken.used);
        }
        at = end;
        if (!may_hold) break;
    }
    CHECK(under_test.held() == expected);
    seen.rest = under_test.held();
    seen.held_bytes = under_test.held_bytes();
    if (!may_hold) {
        seen.unmodified = not_augmented::too_large;
        return seen;
    }
    REQUIRE(reader.end_of_stream());

    const auto made = under_test.finish(response);
    seen.unmodified = made.why_not;
    seen.status = made.status;
    if (made.why_not) {
        CHECK(under_test.held() == expected);
        return seen;
    }
    buffer_pool pool;
    buffer out(pool);
    write_response_head(response, made.changes, out);
    seen.head = out.data();
    seen.rest = made.body;
    return seen;
}

constexpr std::string_view plain_head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

std::string with_length(std::string_view fields, std::string_view body) {
    return std::string(plain_head) + std::string(fields) + "Content-Length: " + std::to_string(body.size()) + "\r\n";
}

std::string chunked(std::string_view fields = {}) {
    return std::string(plain_head) + std::string(fields) + "Transfer-Encoding: chunked\r\n";
}

std::string in_chunks(std::string_view body, std::size_t size, std::string_view trailers = {}) {
    std::string framed;
    for (std::size_t at = 0; at < body.size(); at += size) {
        const auto piece = body.substr(at, size);
        framed += "0" + std::to_string(piece.size()) + ";x=y\r\n" + std::string(piece) + "\r\n";
    }
    return framed + "0\r\n" + std::string(trailers) + "\r\n";
}

std::optional<not_augmented> refused(std::string_view body) {
    return respond(with_length("", body), std::string(body)).unmodified;
}

// The value of a field of the head that goes out; nullopt: it is not there.
std::optional<std::string> value(const outcome& of, const std::string& name) {
    const auto at = of.head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return std::nullopt;
    const auto begin = at + name.size() + 4;
    return of.head.substr(begin, of.head.find("\r\n", begin) - begin);
}

std::string new_etag(std::string_view backends = R"("v1")") { return augmented_etag(backends, inserted).value(); }

outcome tagged(const asked& by, std::string_view etag = "ETag: \"v1\"\r\n") {
    const std::string body = R"({"id":"x"})";
    return respond(with_length(etag, body), body, by);
}

TEST_CASE("the member is inserted, and the length is the new one") {
    const std::string body = R"({ "id" : "x" , "n":1.0e+05 } )";
    const auto seen = respond(with_length("X-A: 1\r\n", body), body);
    CHECK_FALSE(seen.unmodified);
    CHECK(seen.status == 200);
    CHECK(seen.rest == R"({ "id" : "x" , "n":1.0e+05 )" + std::string(inserted) + "} ");
    CHECK(seen.head == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-A: 1\r\nContent-Length: " +
                           std::to_string(seen.rest.size()) + "\r\n\r\n");
}

TEST_CASE("a body without a length gets one") {
    const std::string body = R"({"id":"x"})";
    const auto until_close = respond(plain_head, body);
    CHECK(until_close.rest == R"({"id":"x")" + std::string(inserted) + "}");
    CHECK(value(until_close, "Content-Length") == std::to_string(until_close.rest.size()));

    const auto from_chunks = respond(chunked(), in_chunks(body, 3));
    CHECK(from_chunks.rest == until_close.rest);
    CHECK(value(from_chunks, "Content-Length") == std::to_string(from_chunks.rest.size()));
    CHECK_FALSE(value(from_chunks, "Transfer-Encoding"));
}

TEST_CASE("trailers that are still true make it chunked again") {
    const std::string body = R"({"id":"x"})";
    const std::string trailers = "X-Checksum: 1\r\nContent-Digest: a\r\nETag: b\r\n";
    const auto seen = respond(chunked("Trailer: X-Checksum\r\n"), in_chunks(body, 3, trailers));
    const auto whole = R"({"id":"x")" + std::string(inserted) + "}";
    CHECK(whole.size() == 0x45);
    CHECK(seen.rest == "45\r\n" + whole + "\r\n0\r\nX-Checksum: 1\r\n\r\n");
    CHECK(value(seen, "Transfer-Encoding") == "chunked");
    CHECK(value(seen, "Trailer") == "X-Checksum");
    CHECK_FALSE(value(seen, "Content-Length"));
}

TEST_CASE("trailers that are no longer true, and those for an HTTP/1.0 client, go") {
    const std::string body = R"({"id":"x"})";
    const auto stale = respond(chunked(), in_chunks(body, 3, "Content-Digest: a\r\n"));
    CHECK(value(stale, "Content-Length") == std::to_string(stale.rest.size()));

    asked old;
    old.minor_version = 0;
    const auto seen = respond(chunked(), in_chunks(body, 3, "X-Checksum: 1\r\n"), old);
    CHECK(seen.rest == R"({"id":"x")" + std::string(inserted) + "}");
    CHECK(value(seen, "Content-Length") == std::to_string(seen.rest.size()));
    CHECK_FALSE(value(seen, "Transfer-Encoding"));
}

TEST_CASE("what is untrue of the new representation goes") {
    const std::string body = "{}";
    const auto seen = respond(with_length("Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\nContent-MD5: a\r\n"
                                          "Digest: a\r\nContent-Digest: a\r\nRepr-Digest: a\r\nAccept-Ranges: bytes\r\n"
                                          "Cache-Control: no-cache\r\n",
                                          body),
                              body);
    CHECK(seen.rest == R"({"info":{"resource_consistency":{"is_download_ready":true}}})");
    CHECK(seen.head == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-cache\r\n"
                       "Content-Length: " +
                           std::to_string(seen.rest.size()) + "\r\n\r\n");
}

TEST_CASE("an ETag becomes one of its own, strong or weak as it was; an invalid one goes") {
    CHECK(value(tagged({}), "ETag") == new_etag());
    CHECK(new_etag() != R"("v1")");
    CHECK(value(tagged({}, "ETag: W/\"v1\"\r\n"), "ETag") == new_etag(R"(W/"v1")"));
    CHECK_FALSE(value(tagged({}, "ETag: v1\r\n"), "ETag"));
    CHECK_FALSE(value(tagged({}, ""), "ETag"));
}

TEST_CASE("If-None-Match is about the new ETag") {
    const auto known = tagged({"If-None-Match: \"a\", W/" + new_etag() + "\r\n"});
    CHECK(known.status == 304);
    CHECK(known.rest.empty());
    CHECK(known.head == "HTTP/1.1 304 Not Modified\r\nETag: " + new_etag() + "\r\n\r\n");
    CHECK(tagged({"If-None-Match: \"a\"\r\nif-none-match: " + new_etag() + "\r\n"}).status == 304);
    CHECK(tagged({"If-None-Match: *\r\n"}).status == 304);
    CHECK(tagged({"If-None-Match: \"v1\"\r\n"}).status == 200);
    CHECK(tagged({"If-None-Match: " + new_etag() + "\r\nConnection: if-none-match\r\n"}).status == 200);
}

TEST_CASE("If-Match is about the new ETag, and comes first") {
    CHECK(tagged({"If-Match: " + new_etag() + "\r\n"}).status == 200);
    CHECK(tagged({"If-Match: *\r\n"}).status == 200);
    CHECK(tagged({"If-Match: \"a\"\r\nIf-Match: " + new_etag() + "\r\n"}).status == 200);
    CHECK(tagged({"If-Match: " + new_etag() + "\r\nIf-Match: \"a\"\r\n"}).status == 200);
    CHECK(tagged({"If-Match: \"v1\"\r\n"}).status == 412);
    CHECK(tagged({"If-Match: \"a\"\r\nIf-Match: \"b\"\r\n"}).status == 412);
    CHECK(tagged({"If-Match: \"a\"\r\nIf-None-Match: *\r\n"}).status == 412);
    CHECK(tagged({"If-Match: *\r\nIf-None-Match: *\r\n"}).status == 304);
    CHECK(tagged({"If-Match: \"a\"\r\nConnection: if-match\r\n"}).status == 200);
    CHECK(tagged({"If-Match: \"a\"\r\n"}, "").status == 412);            // there is no tag that it could be
    CHECK(tagged({"If-Match: W/" + new_etag() + "\r\n"}).status == 412); // compared strongly
    CHECK(tagged({"If-Match: " + new_etag(R"(W/"v1")") + "\r\n"}, "ETag: W/\"v1\"\r\n").status == 412);
    CHECK(tagged({"If-Match: \"a\"\r\n"}).rest.empty());
}

TEST_CASE("a response to a HEAD loses what would be untrue of the GET's") {
    asked head;
    head.method = "HEAD";
    head.fields = "If-Match: \"a\"\r\n"; // what its ETag would be is not known
    const auto seen = respond(with_length("ETag: \"v1\"\r\nVary: Origin\r\n", R"({"id":"x"})"), "", head);
    CHECK_FALSE(seen.unmodified);
    CHECK(seen.status == 200);
    CHECK(seen.rest.empty());
    CHECK(seen.head == "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nVary: Origin\r\n\r\n");
}

TEST_CASE("some are relayed unmodified by their heads alone") {
    const auto rejected = [](const std::string& head, const asked& by = {}) {
        const auto seen = respond(head, "", by);
        CHECK(seen.by_head);
        return seen.unmodified;
    };
    CHECK(rejected("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n") == not_augmented::not_200);
    CHECK(rejected("HTTP/1.1 206 Partial Content\r\nContent-Type: application/json\r\n") == not_augmented::not_200);
    CHECK(rejected("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n") == not_augmented::not_json);
    CHECK(rejected("HTTP/1.1 200 OK\r\n") == not_augmented::not_json);
    CHECK(rejected(std::string(plain_head) + "Content-Type: application/json\r\n") == not_augmented::not_json);
    CHECK(rejected(std::string(plain_head) + "Content-Encoding: gzip\r\n") == not_augmented::encoded);
    CHECK(rejected(std::string(plain_head) + "Content-Encoding: identity\r\nContent-Encoding: br\r\n") ==
          not_augmented::encoded);
    CHECK(rejected(std::string(plain_head) + "Content-Length: 1025\r\n") == not_augmented::too_large);
    asked head;
    head.method = "HEAD";
    CHECK(rejected("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\n", head) == not_augmented::not_200);
}

TEST_CASE("identity is no coding") {
    const auto seen = respond(with_length("Content-Encoding: Identity\r\nContent-Encoding:\r\n", "{}"), "{}");
    CHECK_FALSE(seen.unmodified);
}

TEST_CASE("others are relayed unmodified for what their bodies are") {
    CHECK(refused("[1]") == not_augmented::not_an_object);
    CHECK(refused("\"x\"") == not_augmented::not_an_object);
    CHECK(refused("") == not_augmented::invalid_json);
    CHECK(refused("{\"a\":1") == not_augmented::invalid_json);
    CHECK(refused("{} {}") == not_augmented::invalid_json);
    CHECK(refused(R"({"info":{"resource_consistency":{}}})") == not_augmented::backends_own_word);
    CHECK(refused(R"({"info":1})") == not_augmented::backends_own_word);
}

TEST_CASE("an info object of the backend's own gets the member") {
    const std::string body = R"({"info":{"a":1},"z":2})";
    const auto seen = respond(with_length("ETag: \"v1\"\r\n", body), body);
    CHECK(seen.rest == R"({"info":{"a":1,"resource_consistency":{"is_download_ready":true}},"z":2})");
    CHECK(value(seen, "ETag") ==
          augmented_etag("\"v1\"", R"(,"resource_consistency":{"is_download_ready":true})").value());
}

TEST_CASE("nothing behind the end of the body is held") {
    const auto seen = respond(std::string(plain_head) + "Content-Length: 2\r\n", "[]HTTP/1.1 200 OK\r\n\r\n");
    CHECK(seen.unmodified == not_augmented::not_an_object);
    CHECK(seen.rest == "[]");
    const auto framed = respond(chunked(), in_chunks("[]", 2) + "HTTP/1.1 200 OK\r\n\r\n");
    CHECK(framed.rest == in_chunks("[]", 2));
}

TEST_CASE("the largest body is augmented, a larger one is not held") {
    asked small;
    small.body_bytes_max = 40;
    const std::string largest = R"({"a":")" + std::string(32, 'x') + "\"}";
    const std::string larger = R"({"a":")" + std::string(33, 'x') + "\"}";
    REQUIRE(largest.size() == 40);
    CHECK_FALSE(respond(with_length("", largest), largest, small).unmodified);
    CHECK_FALSE(respond(plain_head, largest, small).unmodified);
    CHECK_FALSE(respond(chunked(), in_chunks(largest, 7), small).unmodified);
    CHECK(respond(with_length("", larger), larger, small).by_head);
    CHECK(respond(plain_head, larger, small).unmodified == not_augmented::too_large);
    CHECK(respond(chunked(), in_chunks(larger, 7), small).unmodified == not_augmented::too_large);
    small.minor_version = 0;
    CHECK_FALSE(respond(chunked(), in_chunks(largest, 7), small).unmodified);
    CHECK(respond(chunked(), in_chunks(larger, 7), small).unmodified == not_augmented::too_large);
}

TEST_CASE("what is held is bounded, however it is framed") {
    asked by;
    by.body_bytes_max = 1000;
    const std::string body = "{\"a\":\"" + std::string(900, 'x') + "\"}";
    std::string framed; // a byte in a chunk whose line is 1000 bytes long
    for (const char c : body) framed += "1;" + std::string(996, 'x') + "\r\n" + c + "\r\n";
    const auto seen = respond(chunked(), framed + "0\r\n\r\n", by, std::string::npos);
    CHECK(seen.unmodified == not_augmented::too_large);
    CHECK(seen.held_bytes < 64 * 1024);

    std::string one(200'000, 'x'); // one chunk that comes at once
    const auto at_once = respond(chunked(), "30d40\r\n" + one + "\r\n0\r\n\r\n", by);
    CHECK(at_once.unmodified == not_augmented::too_large);
    CHECK(at_once.rest.size() <= one.size() + 14); // what was read at once, and no more
}

TEST_CASE("what it holds is told from the first byte on, and before") {
    const std::string body = "{\"a\":1}";
    const auto seen = respond(with_length("", body), body);
    CHECK(seen.held_bytes >= body.size());
    CHECK(seen.held_bytes < 1024);
}

TEST_CASE("where the bytes are cut changes nothing") {
    const std::string object = R"({"info":{"a":[1,{}]},"\u0069d":"x\"}"})";
    const std::string array = R"([{"id":"x"}])";
    const std::string trailers = "X-Checksum: 1\r\nContent-Digest: a\r\n";
    struct way {
        std::string head;
        std::string body;
        asked by;
    };
    std::vector<way> ways;
    for (const auto& body : {object, array, "{\"a\":"s})
        for (const int minor_version : {0, 1}) {
            asked by{"If-None-Match: \"a\"\r\n"};
            by.minor_version = minor_version;
            ways.push_back({with_length("ETag: \"v1\"\r\n", body), body + "HTTP/1.1", by});
            ways.push_back({std::string(plain_head), body, by});
            ways.push_back({chunked(), in_chunks(body, 7) + "HTTP/1.1", by});
            ways.push_back({chunked(), in_chunks(body, 3, trailers), by});
            by.body_bytes_max = 5;
            ways.push_back({std::string(plain_head), body.substr(0, 5), by});
        }
    for (const auto& each : ways) {
        CAPTURE(each.head);
        CAPTURE(each.body);
        auto whole = respond(each.head, each.body, each.by);
        for (std::size_t cut = 1; cut <= each.body.size(); ++cut) {
            auto parts = respond(each.head, each.body, each.by, cut == each.body.size() ? std::string::npos : cut);
            parts.held_bytes = whole.held_bytes; // capacity may differ
            CHECK(parts == whole);
        }
    }
}

} // namespace augmenter_test
