#include "proxy/json/json_string.hpp"
#include "proxy/json/utf8.hpp"

#include <doctest/doctest.h>

namespace json_string_test {

using sidecar::append_json_string;

std::string json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

TEST_CASE("plain text only gets its quotes") {
    CHECK(json("") == R"("")");
    CHECK(json("GET /projects?a=b&c=%20") == R"("GET /projects?a=b&c=%20")");
}

TEST_CASE("it appends to what is there") {
    std::string out = "{\"a\":";
    append_json_string(out, "b");
    CHECK(out == R"({"a":"b")");
}

TEST_CASE("quotes, backslashes and control characters are escaped") {
    CHECK(json("a\"b\\c") == R"("a\"b\\c")");
    CHECK(json("a\r\nb\tc") == R"("a\r\nb\tc")");
    CHECK(json(std::string_view("\0\x1b[31m\x7f", 7)) == R"("\u0000\u001b[31m\u007f")");
}

TEST_CASE("a C1 control, which a terminal may obey, is escaped") {
    CHECK(json("\xc2\x9b"
               "31m") == R"("\u009b31m")");
    CHECK(json("\xc2\xa0") == "\"\xc2\xa0\"");
}

TEST_CASE("well-formed UTF-8 goes in as it is") {
    for (const std::string_view text :
         {"é", "ࠀ", "\xed\x9f\xbf", "€", "\xef\xbf\xbf", "\xf0\x90\x80\x80", "😀", "\xf4\x8f\xbf\xbf"})
        CHECK(json(text) == "\"" + std::string(text) + "\"");
}

TEST_CASE("each byte that is no UTF-8 becomes U+FFFD") {
    CHECK(json("a\xff z") == R"("a\ufffd z")");
    CHECK(json("\x80") == R"("\ufffd")");
    CHECK(json("\xc0\xaf") == R"("\ufffd\ufffd")");           // overlong
    CHECK(json("\xed\xa0\x80") == R"("\ufffd\ufffd\ufffd")"); // a surrogate
    CHECK(json("\xf4\x90\x80\x80") == R"("\ufffd\ufffd\ufffd\ufffd")");
    CHECK(json("\xe2\x82") == R"("\ufffd\ufffd")");     // cut off
    CHECK(json("\xe2\x82\"") == R"("\ufffd\ufffd\"")"); // cut off by a quote: the quote stays escaped
}

TEST_CASE("what is not seen but acts is escaped: direction, width, tags, line separators") {
    CHECK(json("a\u202eb") == R"("a\u202eb")");
    CHECK(json("\u200b\ufeff\u2028\u2066") == R"("\u200b\ufeff\u2028\u2066")");
    CHECK(json("\u00ad\u061c") == R"("\u00ad\u061c")");
    CHECK(json("\U000e0041") == R"("\udb40\udc41")");
    CHECK(json("\u2010\u202f\u2070") == "\"\u2010\u202f\u2070\""); // their neighbours are seen
}

TEST_CASE("text is cut between characters, never within one") {
    using sidecar::utf8_prefix;
    CHECK(utf8_prefix("abc", 3) == "abc");
    CHECK(utf8_prefix("abcd", 3) == "abc");
    CHECK(utf8_prefix("ab\u20ac", 4) == "ab");
    CHECK(utf8_prefix("ab\u20ac", 5) == "ab\u20ac");
    CHECK(utf8_prefix("ab\u20acd", 5) == "ab\u20ac");
    CHECK(utf8_prefix("\U0001f600x", 3).empty());
    CHECK(utf8_prefix("\xff\xff\xff\xff\xff", 3) == "\xff\xff\xff"); // no character: bytes
    CHECK(utf8_prefix("abc", 0).empty());
}

} // namespace json_string_test
