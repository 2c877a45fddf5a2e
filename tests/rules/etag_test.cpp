#include "sidecar/augment.hpp"

#include <doctest/doctest.h>

namespace etag_test {

using namespace sidecar;

TEST_CASE("JSON is application/json or a +json type, with or without parameters") {
    for (const char* type : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                             "application/json ; charset=\"utf-8\"", "application/json;", "application/vnd.api+json",
                             "application/problem+JSON; x=y", "image/x+json", " application/json\t"})
        CHECK_MESSAGE(is_json_media_type(type), type);
}

TEST_CASE("what only looks like JSON is none") {
    for (const char* type : {"",
                             "json",
                             "/",
                             "application/",
                             "/json",
                             "application/jsonp",
                             "application/xjson",
                             "text/json",
                             "text/html",
                             "application/json-seq",
                             "application/x-ndjson",
                             "application/json text/html",
                             "application/json, text/html",
                             "application/+json",
                             "application/json+xml",
                             "text/html; a=application/json",
                             "application /json",
                             "application/ json",
                             "a/b/c+json",
                             ";application/json"})
        CHECK_MESSAGE(!is_json_media_type(type), type);
}

TEST_CASE("an augmented tag is another one, as weak or strong as it was") {
    const auto weak = augmented_etag("W/\"abc\"", "text");
    REQUIRE(weak.has_value());
    CHECK(weak->starts_with("W/\"abc-"));
    CHECK(weak->ends_with('"'));
    const auto strong = augmented_etag("\"abc\"", "text");
    REQUIRE(strong.has_value());
    CHECK("W/" + *strong == *weak);
    CHECK(augmented_etag("\"\"", "text").has_value());
    CHECK(augmented_etag("\"\xC3\xA9,\\\"", "text").has_value());
}

TEST_CASE("an augmented tag covers the backend's tag and the inserted text") {
    CHECK(augmented_etag("\"a\"", "x") == augmented_etag("\"a\"", "x"));
    CHECK(augmented_etag("\"a\"", "x") != augmented_etag("\"a\"", "y"));
    CHECK(augmented_etag("\"a\"", "x") != augmented_etag("\"b\"", "x"));
}

TEST_CASE("no tag is made from what is none") {
    for (const char* tag : {"", "abc", "\"", "\"abc", "abc\"", "w/\"abc\"", "W/", "W/abc", "\"a b\"", "\"a\"b\"",
                            "\"a\" ", "\"a\", \"b\"", "*", "\"\x7F\"", "\"\n\""})
        CHECK_MESSAGE(!augmented_etag(tag, "text"), tag);
}

TEST_CASE("an augmented tag is a valid one") {
    const auto tag = augmented_etag("W/\"abc\"", "text");
    CHECK(augmented_etag(*tag, "again").has_value());
    CHECK(if_none_match(*tag, *tag));
}

TEST_CASE("If-None-Match compares weakly, and reads lists") {
    for (const char* list :
         {"\"a\"", "W/\"a\"", "\"b\", \"a\"", "\"b\",W/\"a\"", " ,, \"b\" ,\t\"a\" ,", "\"x,\", \"a\"", "*", " * "})
        for (const char* ours : {"\"a\"", "W/\"a\""}) CHECK_MESSAGE(if_none_match(list, ours), list);
}

TEST_CASE("If-None-Match is not met by other tags") {
    for (const char* list :
         {"", ",", "\"b\"", "\"A\"", "a", "\"a", "\"b,\"a\"", "w/\"a\"", "\"aa\"", "\"\"", "W/", "\"b\", *"})
        CHECK_MESSAGE(!if_none_match(list, "\"a\""), list);
}

TEST_CASE("what is no tag in a list does not hide the tags behind it") {
    CHECK(if_none_match("abc, \"a\"", "\"a\""));
    CHECK(if_none_match("w/\"x\", \"a\"", "\"a\""));
}

TEST_CASE("a response without a tag is met by the star alone") {
    CHECK(if_none_match("*", ""));
    CHECK_FALSE(if_none_match("\"\"", ""));
    CHECK_FALSE(if_none_match("", ""));
}

TEST_CASE("If-Match compares strongly") {
    CHECK(if_match("\"a\"", "\"a\""));
    CHECK(if_match(" \"b\" ,, W/\"c\",\t\"a\"", "\"a\""));
    CHECK(if_match("x, \"a\"", "\"a\""));
    CHECK(if_match(" * ", "\"a\""));
    CHECK(if_match("*", ""));
    CHECK_FALSE(if_match("\"b\"", "\"a\""));
    CHECK_FALSE(if_match("W/\"a\"", "\"a\""));
    CHECK_FALSE(if_match("W/\"a\"", "W/\"a\""));
    CHECK_FALSE(if_match("\"a\"", "W/\"a\""));
    CHECK_FALSE(if_match("\"a\"", ""));
    CHECK_FALSE(if_match("", "\"a\""));
    CHECK_FALSE(if_match("\"a", "\"a\""));
}

} // namespace etag_test
