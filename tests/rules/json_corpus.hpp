// Values, by the productions of RFC 8259, that are JSON and that are not, to be put where a value may stand (whole
// documents are in tests/corpora). Made for these tests.
#pragma once

#include <string>
#include <vector>

namespace sidecar::testing {

struct json_case {
    std::string production;
    std::string text;
    bool valid;
};

inline std::vector<json_case> json_corpus() {
    std::vector<json_case> all;
    const auto add = [&all](const std::string& production, bool valid, std::initializer_list<std::string> texts) {
        for (const auto& text : texts) all.push_back({production, text, valid});
    };
    using namespace std::string_literals;
    add("3 literal", true, {"true", "false", "null"});
    add("3 literal", false,
        {"True", "TRUE", "tru", "truee", "true1", "fals", "falsey", "nul", "nulll", "none", "undefined", "NaN",
         "Infinity", "-Infinity", "true false"});
    add("2 white space", true, {" 1 ", "\t1\t", "\r\n1\r\n", " [ 1 , 2 ] ", "{ \"a\" : 1 }", "\n{\n}\n"});
    add("2 white space", false,
        {"\v1", "\f1", "\xC2\xA0"s + "1", "\xE2\x80\xA8"s + "1", "1\0"s, "\0"s + "1", "/**/1", "1//", "#1"});
    add("4 object", true,
        {"{}", "{\"\":0}", "{\"a\":1,\"a\":2}", "{\"a\":{\"b\":{}}}", "{\"\\u0061\":1}", "{\"a\":null,\"b\":[{}]}"});
    add("4 object", false,
        {"{",
         "}",
         "{]",
         "{\"a\"}",
         "{\"a\":}",
         "{:1}",
         "{,}",
         "{\"a\":1,}",
         "{,\"a\":1}",
         "{\"a\":1,,\"b\":2}",
         "{\"a\":1 \"b\":2}",
         "{\"a\" 1}",
         "{\"a\"::1}",
         "{\"a\":1;\"b\":2}",
         "{a:1}",
         "{'a':1}",
         "{1:1}",
         "{null:1}",
         "{[]:1}",
         "{\"a\":1",
         "{\"a\":",
         "{\"a",
         "{\"a\":1}}",
         "{\"a\",1}",
         "{\"a\":1:2}"});
    add("5 array", true, {"[]", "[[]]", "[1,2,3]", "[null,\"\",{},[]]", "[ ]", "[[[[]],[]]]"});
    add("5 array", false,
        {"[", "]", "[}", "[1", "[1,", "[,]", "[,1]", "[1,]", "[1,,2]", "[1 2]", "[1]]", "[1:2]", "[\"a\":1]", "[1;2]",
         "[[1]", "[1}", "(1)", "[a]"});
    add("6 number", true,
        {"0",
         "-0",
         "1",
         "-1",
         "10",
         "1234567890",
         "0.0",
         "-0.0",
         "1.5",
         "0.00001",
         "1e1",
         "1E1",
         "1e+1",
         "1e-1",
         "0e0",
         "0e+00",
         "1.5E-05",
         "-1.25e+12",
         "9223372036854775807",
         "-9223372036854775808",
         "18446744073709551615",
         "1.7976931348623157e308",
         "-1.7976931348623157e308",
         "5e-324",
         "1e-400",
         "0.1000000000000000055511151231257827",
         "100000000000000000000e-5",
         "1e00000000000000000001"});
    add("6 number, beyond what the parser holds", true,
        {"18446744073709551616", "-9223372036854775809", "1e309", "-1e309", "123456789012345678901234567890", "1.8e308",
         "1e999999999999"});
    add("6 number", false, {"-",      "+1",    "01",    "-01",   "00",  "1.", ".5",  "-.5",         "1.e1", "1e",
                            "1e+",    "1E-",   "1e1.5", "1.2.3", "--1", "1-", "1+1", "0x1",         "1f",   "1_000",
                            "1,000,", "1e1e1", "0b1",   "1 e1",  "- 1", "1a", "1\"", "\xEF\xBC\x91"});
    add("7 string", true,
        {"\"\"",
         "\"a\"",
         "\" \"",
         "\"\\\"\"",
         "\"\\\\\"",
         "\"\\/\"",
         "\"/\"",
         "\"\\b\\f\\n\\r\\t\"",
         "\"\\u0000\"",
         "\"\\u00e9\\u00E9\"",
         "\"\\uD83D\\uDE00\"",
         "\"\xC3\xA9\"",
         "\"\xE2\x82\xAC\"",
         "\"\xF0\x9F\x98\x80\"",
         "\"\x7F\"",
         "\"\xC2\x80\"",
         "\"\xE2\x80\xA8\"",
         "\"\xEF\xBF\xBF\"",
         "\"\xF4\x8F\xBF\xBF\"",
         "\"\\\\u0061\"",
         "\"{}[]:,\"",
         "\"'\"",
         "\"\\\\\\\"\"",
         "\"\xEF\xBB\xBF\""});
    add("7 string, half of a pair", true,
        {"\"\\uD800\"", "\"\\uDC00\"", "\"\\uD800\\u0041\"", "\"\\uDE00\\uD83D\"", "\"\\uD800x\""});
    add("7 string", false,
        {"\"",         "\"a",         "a\"",         "'a'",         "\"\\\"",      "\"\\\\\\\"", "\"\\x41\"",
         "\"\\a\"",    "\"\\0\"",     "\"\\'\"",     "\"\\U0041\"", "\"\\u\"",     "\"\\u1\"",   "\"\\u12\"",
         "\"\\u123\"", "\"\\u123G\"", "\"\\uG123\"", "\"\\u 123\"", "\"\\u-123\"", "\"\n\"",     "\"\r\"",
         "\"\t\"",     "\"\x01\"",    "\"\x1F\"",    "\"\0\""s,     "\"a\"b",      "\"a\"\"b\"", "\"\\\n\""});
    add("8.1 UTF-8", false,
        {"\"\x80\"", "\"\xBF\"", "\"\xC0\x80\"", "\"\xC1\xBF\"", "\"\xC3\"", "\"\xC3(\"", "\"\xE0\x80\x80\"",
         "\"\xE2\x82\"", "\"\xED\xA0\x80\"", "\"\xED\xBF\xBF\"", "\"\xF0\x80\x80\x80\"", "\"\xF4\x90\x80\x80\"",
         "\"\xF5\x80\x80\x80\"", "\"\xF8\x88\x80\x80\x80\"", "\"\xFF\"", "\"\xFE\xFF\"", "\xC3", "1\xFF"});
    return all;
}

} // namespace sidecar::testing
