// What a body reader lets out, without sockets: nothing behind the end, nothing that does not belong in a trailer, and
// the same however the bytes are cut.
#include "proxy/data_plane/body_framing.hpp"
#include "tests/peers/cases.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace body_framing_test {

using namespace sidecar;
using namespace std::string_literals;

using how = body_framing::kind;

struct collected final : payload_sink {
    void payload(std::string_view bytes) override { body += bytes; }
    void trailer(std::string_view line) override {
        CHECK(line.ends_with("\r\n"));
        CHECK(line.find('\n') == line.size() - 1);
        trailers += line;
    }
    std::string body, trailers;
};

struct seen {
    std::string out, body, trailers;
    std::size_t used = 0;
    std::size_t pieces = 0; // that had something in them
    bool done = false;
    bool had_trailers = false;
    body_reader::fault failed = body_reader::fault::none;

    bool operator==(const seen& other) const {
        return out == other.out && body == other.body && trailers == other.trailers && done == other.done &&
               had_trailers == other.had_trailers && failed == other.failed && (!done || used == other.used);
    }
};

constexpr body_reader::limits limits{64, 256};

// `reads`: what comes at once, each in memory of its own.
seen read(body_framing framing, const std::vector<std::string_view>& reads, dechunk mode) {
    body_reader reader(framing, limits, mode);
    collected sink;
    seen all;
    for (const auto text : reads) {
        std::vector<char> bytes(text.begin(), text.end());
        std::span<char> in(bytes);
        while (!in.empty() && !reader.done() && reader.failed() == body_reader::fault::none) {
            const auto piece = reader.take(in, &sink);
            all.out += piece.out;
            all.pieces += !piece.out.empty();
            all.used += piece.used;
            in = in.subspan(piece.used);
        }
    }
    CHECK(sink.body.size() == reader.payload_bytes());
    all.body = sink.body;
    all.trailers = sink.trailers;
    all.done = reader.done();
    all.had_trailers = reader.had_trailers();
    all.failed = reader.failed();
    return all;
}

seen whole(body_framing framing, std::string_view text, dechunk mode = dechunk::no) {
    return read(framing, {text}, mode);
}

void check_cuts(body_framing framing, std::string_view text, dechunk mode) {
    const auto expected = whole(framing, text, mode);
    for (std::size_t cut = 1; cut < text.size(); ++cut)
        if (!(read(framing, {text.substr(0, cut), text.substr(cut)}, mode) == expected)) FAIL_CHECK("cut at ", cut);
    std::vector<std::string_view> each;
    for (std::size_t i = 0; i < text.size(); ++i) each.push_back(text.substr(i, 1));
    CHECK(read(framing, each, mode) == expected);
    for (const std::size_t n : {2, 3, 7}) {
        each.clear();
        for (std::size_t i = 0; i < text.size(); i += n) each.push_back(text.substr(i, n));
        CHECK(read(framing, each, mode) == expected);
    }
}

void check_cuts(body_framing framing, std::string_view text) {
    check_cuts(framing, text, dechunk::no);
    check_cuts(framing, text, dechunk::yes);
}

constexpr body_framing chunks{how::chunked};

std::string body_of(const std::string& message) { return message.substr(message.find("\r\n\r\n") + 4); }

TEST_CASE("a body with a length comes out as it is and ends with its last byte") {
    const auto all = whole({how::length, 5}, "helloHTTP/1.1 200 OK\r\n");
    CHECK(all.out == "hello");
    CHECK(all.used == 5);
    CHECK(all.done);
    check_cuts({how::length, 5}, "helloHTTP/1.1 200 OK\r\n");
    body_reader reader({how::length, 5}, limits);
    CHECK(reader.bytes_left_by_length() == 5);
    std::string hel = "hel";
    CHECK(reader.take(hel).out.data() == hel.data());
    CHECK(reader.bytes_left_by_length() == 2);
    CHECK_FALSE(reader.end_of_stream());
}

TEST_CASE("no body, and one of no bytes, is done at once and lets nothing out") {
    for (const auto framing : {body_framing{}, body_framing{how::length, 0}}) {
        body_reader reader(framing, limits);
        CHECK(reader.done());
        std::string behind = "HTTP/1.1 200 OK";
        const auto piece = reader.take(behind);
        CHECK(piece.used == 0);
        CHECK(piece.out.empty());
    }
}

TEST_CASE("a body until close ends with the stream alone") {
    body_reader reader({how::until_close}, limits);
    std::string text = "hello";
    CHECK(reader.take(text).out == "hello");
    CHECK_FALSE(reader.done());
    CHECK(reader.until_close());
    CHECK(reader.end_of_stream());
    CHECK(reader.done());
    check_cuts({how::until_close}, "hello");
}

TEST_CASE("chunks, their end and what follows, in one read, are one piece") {
    for (const std::string text :
         {"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n", "1\r\na\r\n00b;x=y\r\n0123456789a\r\n0\r\nX-Sum: 1\r\nB:\r\n\r\n",
          "1\r\na\r\n0\r\nX-Sum: 1\r\nContent-Type: x\r\nB: c\r\n\r\n", "0\r\nHost: a\r\n\r\n"}) {
        CAPTURE(text);
        const auto all = whole(chunks, text + "HTTP/1.1 200 OK\r\n\r\n");
        CHECK(all.pieces == 1);
        CHECK(all.used == text.size());
        CHECK(all.done);
        const auto plain = whole(chunks, text + "HTTP/1.1 200 OK\r\n\r\n", dechunk::yes);
        CHECK(plain.pieces == (text.front() == '0' ? 0 : 1));
        CHECK(plain.out == plain.body);
        CHECK(plain.used == text.size());
        check_cuts(chunks, text + "HTTP/1.1 200 OK\r\n\r\n");
    }
}

TEST_CASE("chunks are read the same however they are cut, and come out as they are or as the payload alone") {
    for (auto* const all : {&cases::request_bodies, &cases::answer_bodies}) {
        for (const auto& one : (*all)()) {
            const auto& sent = all == &cases::request_bodies ? one.sent : one.answered;
            if (sent.find("ransfer-") == std::string::npos && sent.find("transfer-encoding: C") == std::string::npos)
                continue;
            if (one.sent.starts_with("HEAD")) continue;
            CAPTURE(one.name);
            const auto& expected =
                body_of(all == &cases::request_bodies ? one.expected_at_backend() : one.expected_at_client());
            CHECK(whole(chunks, body_of(sent)).out == expected);
            CHECK(whole(chunks, body_of(sent)).done);
            check_cuts(chunks, body_of(sent));
        }
    }
}

TEST_CASE("hostile chunks are refused however they are cut") {
    for (const auto& one : cases::hostile_chunks()) {
        CAPTURE(one.name);
        // One long line of bytes says nothing new each time.
        const auto text = one.body.substr(0, 2000);
        const auto all = whole(chunks, text);
        CHECK(all.failed != body_reader::fault::none);
        CHECK_FALSE(all.done);
        if (one.body.size() < 2000) check_cuts(chunks, text);
    }
}

TEST_CASE("small chunks among large ones become one piece of payload") {
    std::string text, payload;
    for (int i = 0; i < 40; ++i) {
        const std::string data(static_cast<std::size_t>(i * i * (i % 3)) + 1, static_cast<char>('a' + i % 26));
        char size[17];
        std::snprintf(size, sizeof size, "%zx", data.size());
        text += size + "\r\n"s + data + "\r\n";
        payload += data;
    }
    text += "0\r\n\r\n";
    const auto all = whole(chunks, text, dechunk::yes);
    CHECK(all.pieces == 1);
    CHECK(all.out == payload);
    CHECK(all.body == payload);
}

TEST_CASE("a large chunk is not moved") {
    body_reader reader(chunks, limits, dechunk::yes);
    std::string text = "1\r\na\r\n8000\r\n" + std::string(0x8000, 'x') + "\r\n1\r\n";
    const auto piece = reader.take(text);
    CHECK(piece.out == "a" + std::string(0x8000, 'x'));
    CHECK(piece.out.data() + 1 == text.data() + "1\r\na\r\n8000\r\n"s.size());
}

TEST_CASE("fields that do not belong in a trailer are left out, others stay") {
    const auto trailer = [](const std::string& lines) {
        check_cuts(chunks, "0\r\n" + lines + "\r\n");
        const auto all = whole(chunks, "0\r\n" + lines + "\r\n");
        CHECK(all.done);
        CHECK(all.had_trailers);
        CHECK("0\r\n" + all.trailers + "\r\n" == all.out);
        return all.trailers;
    };
    for (const auto* const foreign : {"Content-Length",
                                      "content_length",
                                      "Transfer-Encoding",
                                      "Transfer_Encoding",
                                      "Host",
                                      "Connection",
                                      "Keep-Alive",
                                      "TE",
                                      "Trailer",
                                      "Upgrade",
                                      "Content-Type",
                                      "Content-Encoding",
                                      "Content-Range",
                                      "Content-Location",
                                      "Content-Anything",
                                      "Authorization",
                                      "Proxy-Authorization",
                                      "WWW-Authenticate",
                                      "Cookie",
                                      "Set-Cookie",
                                      "X-Forwarded-For",
                                      "X_Forwarded_Proto",
                                      "Forwarded",
                                      "Expect",
                                      "Range",
                                      "If-Match",
                                      "Max-Forwards"})
        CHECK_MESSAGE(trailer("A: b\r\n"s + foreign + ": x\r\nC: d\r\n") == "A: b\r\nC: d\r\n", foreign);
    for (const auto* const good : {"X-Sum", "ETag", "Digest", "Content-Digest", "Content-MD5", "Server-Timing",
                                   "Grpc-Status", "Expires", "Contents", "Hosts", "If", "Authentication-Info"})
        CHECK_MESSAGE(trailer(good + ": x\r\n"s) == good + ": x\r\n"s, good);
    CHECK_FALSE(whole(chunks, "0\r\n\r\n").had_trailers);
}

TEST_CASE("a chunk size has 16 digits at most, and a value that a file can have") {
    body_reader reader(chunks, limits);
    std::string text = "7fffffffffffffff\r\nabc";
    CHECK(reader.take(text).used == text.size());
    CHECK(reader.failed() == body_reader::fault::none);
    CHECK(whole(chunks, "0000000000000001\r\na\r\n0\r\n\r\n").done);
    CHECK(whole(chunks, "00000000000000001\r\na\r\n0\r\n\r\n").failed == body_reader::fault::malformed);
    CHECK(whole(chunks, "1\r\na\r\n0000000000000001\r\na\r\n0000000000000000\r\n\r\n").done); // each, not all
    CHECK(whole(chunks, "8000000000000000\r\na").failed == body_reader::fault::malformed);
    CHECK(whole(chunks, "0000000000000000\r\n\r\n").done);
}

TEST_CASE("chunk extensions follow their grammar") {
    for (const auto* const good : {";a", ";a=b", ";a=\"\"", ";a=\"x;\\\"y, z\"", ";a;b=c;d", "; a", ";\ta = b", ";a =b",
                                   ";a= \"b\" ;c", ";a ;b"})
        CHECK_MESSAGE(whole(chunks, "1"s + good + "\r\na\r\n0\r\n\r\n").done, good);
    for (const auto* const bad :
         {" ;a", ";", ";;a", ";=b", ";a=", ";a==b", ";a b", ";a=b c", ";a ", ";a=b ", ";a=\"b\"c", ";a=\"b", ";\"a\"",
          ";a=b\"", ";a,b", ";a=\"\x7f\"", ";a=\"\\\x01\"", ";\xc3\xa4"})
        CHECK_MESSAGE(whole(chunks, "1"s + bad + "\r\na\r\n0\r\n\r\n").failed == body_reader::fault::malformed, bad);
}

TEST_CASE("limits bind on chunk lines and on the trailer section, the same however they are cut") {
    const auto line = [](std::size_t n) { return "1;" + std::string(n - 4, 'a') + "\r\nx\r\n0\r\n\r\n"; };
    CHECK(whole(chunks, line(64)).done);
    CHECK(whole(chunks, line(65)).failed == body_reader::fault::chunk_line_too_long);
    const auto trailers = [](std::size_t n) { return "0\r\nA: b\r\nC: " + std::string(n - 13, 'd') + "\r\n\r\n"; };
    CHECK(whole(chunks, trailers(256)).done);
    CHECK(whole(chunks, trailers(257)).failed == body_reader::fault::trailer_too_long);
    CHECK(whole(chunks, "0\r\nContent-Type: " + std::string(300, 'd')).failed == body_reader::fault::trailer_too_long);
    for (const auto& text : {line(64), line(65), trailers(256), trailers(257), trailers(600)}) check_cuts(chunks, text);
}

TEST_CASE("a trailer line that has not ended stays in") {
    body_reader reader(chunks, limits);
    std::string first = "0\r\nX-Su", second = "m: 1", third = "2\r\n\r\nHTTP";
    CHECK(reader.take(first).out == "0\r\n");
    CHECK(reader.take(second).out.empty());
    auto piece = reader.take(third);
    CHECK(piece.used == 3);
    CHECK(piece.out == "X-Sum: 12\r\n");
    CHECK_FALSE(reader.done());
    piece = reader.take(std::span<char>(third).subspan(3));
    CHECK(piece.out == "\r\n");
    CHECK(piece.used == 2);
    CHECK(reader.done());
    CHECK_FALSE(body_reader(chunks, limits).end_of_stream());
}

} // namespace body_framing_test
