#include "sidecar/augment.hpp"

#include <doctest/doctest.h>
#include <zlib.h>

namespace learn_test {

using namespace sidecar;

constexpr std::string_view text = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const auto id = parse_uuid(text);
const std::string project = "{\"kind\":\"dds-project\",\"id\":\"" + std::string(text) + "\",\"name\":\"a \\u0026 b\"}";

std::string deflated(std::string_view body, int window_bits) {
    z_stream stream{};
    REQUIRE(deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    std::string out(deflateBound(&stream, body.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
    stream.avail_in = static_cast<uInt>(body.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    REQUIRE(deflate(&stream, Z_FINISH) == Z_STREAM_END);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return out;
}

std::string gzipped(std::string_view body) { return deflated(body, MAX_WBITS + 16); }

std::optional<uuid> learnt(std::string_view body, std::string_view coding = "") {
    return id_of_response(body, coding, 65536);
}

TEST_CASE("the id is the object's own") {
    CHECK(learnt(project) == id);
    CHECK(learnt(project, "identity") == id);
    CHECK(learnt("{\"a\":{\"id\":\"00000000-0000-0000-0000-000000000000\"},\"\\u0069d\":\"" + std::string(text) +
                 "\"}") == id);
    CHECK_FALSE(learnt("{\"a\":" + project + "}"));
    CHECK_FALSE(learnt("[" + project + "]"));
}

TEST_CASE("an id may be written with escapes") {
    CHECK(learnt(R"({"id":"\u0063a29f7df\u002d33ca-46dd-a015-92c46fdb6fd1"})") == id);
}

TEST_CASE("of several ids the last is the one that readers see") {
    CHECK(learnt("{\"id\":1,\"id\":\"" + std::string(text) + "\"}") == id);
    CHECK_FALSE(learnt("{\"id\":\"" + std::string(text) + "\",\"id\":1}"));
}

TEST_CASE("a response that is not whole teaches nothing") {
    for (std::size_t size = 0; size < project.size(); ++size) CHECK_FALSE(learnt(project.substr(0, size)));
    CHECK_FALSE(learnt(project + "x"));
    CHECK_FALSE(learnt(R"({"id":"x"})"));
    CHECK_FALSE(learnt(R"({"id":null})"));
    CHECK_FALSE(learnt("{}"));
}

TEST_CASE("compressed responses are read") {
    CHECK(learnt(gzipped(project), "gzip") == id);
    CHECK(learnt(gzipped(project), "X-GZip") == id);
    CHECK(learnt(deflated(project, MAX_WBITS), "deflate") == id);
    CHECK(learnt(deflated(project, -MAX_WBITS), "deflate") == id);
}

TEST_CASE("a coding that is not known, or is not the one it says, teaches nothing") {
    for (const char* coding : {"br", "zstd", "gzip, gzip", "compress", "identity, gzip"})
        CHECK_FALSE(learnt(project, coding));
    CHECK_FALSE(learnt(project, "gzip"));
    CHECK_FALSE(learnt(project, "deflate"));
    CHECK_FALSE(learnt(gzipped(project)));
    CHECK_FALSE(learnt(deflated(project, MAX_WBITS), "gzip"));
    CHECK_FALSE(learnt("", "gzip"));
}

TEST_CASE("a compressed response that is cut, damaged or followed by more teaches nothing") {
    const std::string body = gzipped(project);
    for (std::size_t size = 0; size < body.size(); ++size) CHECK_FALSE(learnt(body.substr(0, size), "gzip"));
    CHECK_FALSE(learnt(body + "x", "gzip"));
    std::string damaged = body;
    damaged[body.size() - 5] ^= 1; // in the check sum
    CHECK_FALSE(learnt(damaged, "gzip"));
}

TEST_CASE("no more is read, or inflated, than allowed") {
    const std::string padded = project.substr(0, project.size() - 1) + std::string(100'000, ' ') + "}";
    CHECK(id_of_response(padded, "", padded.size()) == id);
    CHECK_FALSE(id_of_response(padded, "", padded.size() - 1));
    CHECK(id_of_response(gzipped(padded), "gzip", padded.size()) == id);
    CHECK_FALSE(id_of_response(gzipped(padded), "gzip", padded.size() - 1));
    CHECK_FALSE(id_of_response(gzipped(std::string(100 << 20, ' ')), "gzip", 65536)); // 100 MiB in 100 KiB
    CHECK_FALSE(id_of_response(gzipped(project), "gzip", 0));
}

} // namespace learn_test
