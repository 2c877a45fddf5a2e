// What a response on its way to the client teaches, without a socket.
#include "proxy/data_plane/learner.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

#include <string>

namespace learner_test {

using namespace sidecar;

const std::string id_text = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const uuid id = parse_uuid(id_text).value();
const std::string body = R"({"kind":"dds-project","id":")" + id_text + "\"}";

struct outcome {
    std::optional<uuid> learned;
    bool too_large = false;
    std::size_t held_bytes = 0;
};

// Each byte of the body comes alone, and the head's bytes are gone by then.
outcome teach(std::string head_text, std::string text, const forward::learning& lesson = {}, std::size_t max = 1024) {
    head_text += "\r\n";
    response_head response;
    std::size_t searched = 0;
    REQUIRE(read_response_head(head_text, searched, {64 * 1024, 100, 0}, false, response) == head_status::complete);
    learner under_test(lesson, response, max);
    body_reader reader(response.body, {4096, 4096});
    std::fill(head_text.begin(), head_text.end(), '#');
    for (auto& byte : text) reader.take({&byte, 1}, under_test.wants_body() ? &under_test : nullptr);
    REQUIRE(reader.end_of_stream());
    return {under_test.finish(), under_test.too_large(), under_test.held_bytes()};
}

std::string created(const std::string& fields = {}, const std::string& status = "201 Created") {
    return "HTTP/1.1 " + status + "\r\nContent-Type: application/json; charset=utf-8\r\n" + fields;
}

std::string gzipped(const std::string& text) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(text.size() + 100, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string in_chunks(const std::string& text, const std::string& trailers = {}) {
    std::string framed;
    for (const char c : text) framed += std::string("1\r\n") + c + "\r\n";
    return framed + "0\r\n" + trailers + "\r\n";
}

TEST_CASE("the id is read from the body, however it is framed") {
    CHECK(teach(created("Content-Length: " + std::to_string(body.size()) + "\r\n"), body).learned == id);
    CHECK(teach(created(), body).learned == id);
    CHECK(teach(created("Transfer-Encoding: chunked\r\n"), in_chunks(body)).learned == id);
    CHECK(teach(created("Transfer-Encoding: chunked\r\n"), in_chunks(body, "X-A: " + id_text + "\r\n")).learned == id);
}

TEST_CASE("every 2xx teaches, and nothing else") {
    CHECK(teach(created("", "200 OK"), body).learned == id);
    CHECK(teach(created("", "202 Accepted"), body).learned == id);
    CHECK_FALSE(teach(created("", "299 Odd"), "{}").learned);
    for (const auto* status : {"301 Moved Permanently", "400 Bad Request", "404 Not Found", "500 Oops"}) {
        CHECK_FALSE(teach(created("", status), body).learned);
        CHECK_FALSE(teach(created("", status), body, {0, id}).learned);
    }
}

TEST_CASE("an id from the path is learned without the body") {
    const uuid other{1, 2};
    const auto seen = teach("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n", std::string(5000, 'x'), {0, other});
    CHECK(seen.learned == other);
    CHECK_FALSE(seen.too_large);
    CHECK(seen.held_bytes < 100);
    CHECK(teach(created(), body, {0, other}).learned == other);
    CHECK(teach("HTTP/1.1 204 No Content\r\n", "", {0, other}).learned == other);
}

TEST_CASE("nothing is learned from what is no JSON object with an id") {
    CHECK_FALSE(teach("HTTP/1.1 201 Created\r\nContent-Type: text/html\r\n", body).learned);
    CHECK_FALSE(teach("HTTP/1.1 201 Created\r\n", body).learned);
    CHECK_FALSE(teach(created(), "[" + body + "]").learned);
    CHECK_FALSE(teach(created(), body.substr(1)).learned);
    CHECK_FALSE(teach(created(), "").learned);
    CHECK_FALSE(teach(created(), R"({"id":"x"})").learned);
}

TEST_CASE("a coded body is read by the coding its head named, also when the head's bytes are gone") {
    CHECK(teach(created("Content-Encoding: gzip\r\n"), gzipped(body)).learned == id);
    CHECK(teach(created("Content-Encoding: identity\r\n"), body).learned == id);
    CHECK_FALSE(teach(created("Content-Encoding: br\r\n"), body).learned);
    CHECK_FALSE(teach(created("Content-Encoding: identity\r\nContent-Encoding: gzip\r\n"), gzipped(body)).learned);
}

TEST_CASE("the largest body teaches, a larger one does not, and gives its memory back") {
    CHECK(teach(created(), body, {}, body.size()).learned == id);
    const auto larger = teach(created(), body, {}, body.size() - 1);
    CHECK_FALSE(larger.learned);
    CHECK(larger.too_large);
    CHECK(larger.held_bytes < 100);
    const auto coded = gzipped(body + std::string(1000, ' '));
    CHECK_FALSE(teach(created("Content-Encoding: gzip\r\n"), coded, {}, 500).learned);
    CHECK(teach(created("Content-Encoding: gzip\r\n"), coded, {}, body.size() + 1000).learned == id);
}

TEST_CASE("after more than is read, what follows is not read either") {
    const auto seen = teach(created(), body + body, {}, body.size());
    CHECK_FALSE(seen.learned);
    CHECK(seen.held_bytes < 100);
}

} // namespace learner_test
