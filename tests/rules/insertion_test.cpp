#include "sidecar/augment.hpp"

#include "tests/rules/json_corpus.hpp"
#include "tests/rules/json_grammar.hpp"
#include "tests/rules/json_samples.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

namespace insertion_test {

using namespace sidecar;

constexpr std::string_view consistency = R"({"is_upload_ready":true,"is_download_ready":false})";

std::string applied(std::string_view body, const insertion& inserted) {
    std::string text(body);
    return text.insert(inserted.at, inserted.text);
}

std::string augmented(std::string_view body, std::string_view value = "1") {
    const auto planned = plan_insertion(body, value);
    REQUIRE(planned.has_value());
    return applied(body, *planned);
}

not_augmented refused(std::string_view body) {
    const auto planned = plan_insertion(body, "1");
    REQUIRE(planned.has_error());
    return planned.error();
}

std::string nested(std::size_t depth, std::string_view open, std::string_view close) {
    std::string text;
    for (std::size_t i = 0; i < depth; ++i) text += open;
    for (std::size_t i = 0; i < depth; ++i) text += close;
    return text;
}

// simdjson as the second opinion: a value written out anew, of several equal names the last, in the names' order.
std::string canonical(simdjson::dom::element value) {
    if (value.is_array()) {
        std::string text = "[";
        for (const auto element : value.get_array()) text += canonical(element) + ",";
        return text + "]";
    }
    if (!value.is_object()) return simdjson::to_string(value);
    std::map<std::string, std::string> members;
    for (const auto [name, member] : value.get_object()) members[std::string(name)] = canonical(member);
    std::string text = "{";
    for (const auto& [name, member] : members) text.append(name).append("=").append(member).append(";");
    return text + "}";
}

TEST_CASE("info goes in before the last brace") {
    CHECK(augmented(R"({"id":"x"})", consistency) ==
          R"({"id":"x","info":{"resource_consistency":{"is_upload_ready":true,"is_download_ready":false}}})");
}

TEST_CASE("an empty object needs no comma") {
    CHECK(augmented("{}") == R"({"info":{"resource_consistency":1}})");
    CHECK(augmented(" {\n} ") == " {\n\"info\":{\"resource_consistency\":1}} ");
}

TEST_CASE("every other byte stays as it was") {
    CHECK(augmented("\r\n{ \"n\" : 1.0e+05 , \"n\" : 2 }\n\n") ==
          "\r\n{ \"n\" : 1.0e+05 , \"n\" : 2 ,\"info\":{\"resource_consistency\":1}}\n\n");
}

TEST_CASE("braces and quotes in strings are no structure") {
    CHECK(augmented(R"({"a":"}\"}","b":"\\"})") == R"({"a":"}\"}","b":"\\","info":{"resource_consistency":1}})");
}

TEST_CASE("numbers keep their spelling; what the parser can't hold it can't vouch for") {
    CHECK(augmented(R"({"n":18446744073709551615,"e":-1E+308,"z":1e-4000,"m":-9223372036854775808})") ==
          R"({"n":18446744073709551615,"e":-1E+308,"z":1e-4000,"m":-9223372036854775808,)"
          R"("info":{"resource_consistency":1}})");
    for (const char* number :
         {"18446744073709551616", "-9223372036854775809", "1E+309", "-1e4000", "123456789012345678901234567890"}) {
        CHECK(refused("{\"s\":\"01\\\"02\",\"n\":" + std::string(number) + "}") == not_augmented::number_out_of_range);
        CHECK(refused("[1," + std::string(number) + " ]") == not_augmented::number_out_of_range);
        CHECK(refused("[01," + std::string(number) + "]") == not_augmented::invalid_json);
    }
}

TEST_CASE("a byte order mark stays in front") {
    CHECK(augmented("\xEF\xBB\xBF{}") == "\xEF\xBB\xBF{\"info\":{\"resource_consistency\":1}}");
    CHECK(refused("\xEF\xBB\xBF\xEF\xBB\xBF{}") == not_augmented::invalid_json);
    CHECK(refused("{}\xEF\xBB\xBF") == not_augmented::invalid_json);
}

TEST_CASE("the backend's own info gets the member") {
    CHECK(augmented(R"({"info":{"a":1} ,"z":2})") == R"({"info":{"a":1,"resource_consistency":1} ,"z":2})");
    CHECK(augmented(R"({"info":{ }})") == R"({"info":{ "resource_consistency":1}})");
    CHECK(augmented(R"({"a":{"info":{"resource_consistency":0}}})") ==
          R"({"a":{"info":{"resource_consistency":0}},"info":{"resource_consistency":1}})");
    CHECK(augmented(R"({"info":{"a":{"resource_consistency":0}}})") ==
          R"({"info":{"a":{"resource_consistency":0},"resource_consistency":1}})");
}

TEST_CASE("what the backend says itself is its own word") {
    CHECK(refused(R"({"info":{"resource_consistency":{}}})") == not_augmented::backends_own_word);
    CHECK(refused(R"({"info":{"resource_consistency":null,"a":1}})") == not_augmented::backends_own_word);
    for (const char* other : {"null", "[]", "1", "\"info\"", "true"})
        CHECK(refused("{\"info\":" + std::string(other) + "}") == not_augmented::backends_own_word);
}

TEST_CASE("a name counts however it is spelled") {
    CHECK(refused(R"({"\u0069nfo":1})") == not_augmented::backends_own_word);
    CHECK(refused(R"({"\u0069\u006E\u0066\u006f":{"resource\u005fconsistency":1}})") ==
          not_augmented::backends_own_word);
    CHECK(augmented(R"({"Info":1})") == R"({"Info":1,"info":{"resource_consistency":1}})");
    CHECK(augmented(R"({"info\u0000":1})") == R"({"info\u0000":1,"info":{"resource_consistency":1}})");
}

TEST_CASE("of several infos the last is the one that readers see") {
    CHECK(augmented(R"({"info":1,"info":{}})") == R"({"info":1,"info":{"resource_consistency":1}})");
    CHECK(augmented(R"({"info":{"resource_consistency":0},"info":{"a":1}})") ==
          R"({"info":{"resource_consistency":0},"info":{"a":1,"resource_consistency":1}})");
    CHECK(refused(R"({"info":{},"info":1})") == not_augmented::backends_own_word);
}

TEST_CASE("only an object can hold a member") {
    for (const char* body : {"[]", "[{}]", "1", "\"{}\"", "null", " true ", "-0.5e1"})
        CHECK(refused(body) == not_augmented::not_an_object);
}

TEST_CASE("what is not valid JSON passes as it came") {
    for (const char* body : {"",
                             " ",
                             "{",
                             "}",
                             "{}{}",
                             "{},",
                             "{} x",
                             "{,}",
                             R"({"a"})",
                             R"({"a":})",
                             R"({"a":1,})",
                             R"({"a":1 "b":2})",
                             R"({"a":[1,]})",
                             "{\"a\":[1}]",
                             R"({"a":tru})",
                             R"({"a":truex})",
                             R"({"a":True})",
                             R"({"a":NaN})",
                             R"({"a":01})",
                             R"({"a":+1})",
                             R"({"a":1.})",
                             R"({"a":.5})",
                             R"({"a":1e})",
                             R"({"a":-})",
                             R"({"a":0x1})",
                             R"({a:1})",
                             "{'a':1}",
                             "{1:1}",
                             R"({"a":"\x"})",
                             R"({"a":"\u12"})",
                             R"({"a":"\u12G4"})",
                             R"({"a":"})",
                             "{\"a\":\"\n\"}",
                             "{\"a\":\"\t\"}",
                             "{\"a\":1}//",
                             "{/**/}",
                             "\v{}",
                             "{\xC2\xA0}",
                             "[",
                             "[1",
                             "\"",
                             "tru"})
        CHECK_MESSAGE(refused(body) == not_augmented::invalid_json, body);
}

TEST_CASE("bytes that are no UTF-8, and NUL, are not JSON") {
    for (const char* bad : {"\xFF", "\x80", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xE2\x82"})
        CHECK(refused("{\"a\":\"" + std::string(bad) + "\"}") == not_augmented::invalid_json);
    using namespace std::string_view_literals;
    CHECK(refused("{\"a\":\"\0\"}"sv) == not_augmented::invalid_json);
    CHECK(refused("{}\0"sv) == not_augmented::invalid_json);
    CHECK(refused("\0{}"sv) == not_augmented::invalid_json);
    CHECK(refused("{\0}"sv) == not_augmented::invalid_json);
    CHECK(refused("{\"a\"\0:1}"sv) == not_augmented::invalid_json);
}

TEST_CASE("nesting is followed to 1024 levels and no further") {
    CHECK_NOTHROW(augmented("{\"a\":" + nested(1023, "[", "]") + "}"));
    CHECK(refused("{\"a\":" + nested(1024, "[", "]") + "}") == not_augmented::too_deep);
    CHECK(refused("{\"info\":{\"a\":" + nested(1023, "[", "]") + "}}") == not_augmented::too_deep);
    CHECK(refused(nested(1'000'000, "[", "]")) == not_augmented::too_deep);
    CHECK(refused(nested(1'000'000, "{\"info\":", "}")) == not_augmented::too_deep);
}

TEST_CASE("a body of a mebibyte is augmented like a small one") {
    const std::string body = "{\"a\":\"" + std::string(1 << 20, '}') + "\"}";
    const auto planned = plan_insertion(body, "1");
    REQUIRE(planned.has_value());
    CHECK(planned->at == body.size() - 1);
}

TEST_CASE("property: the augmented body parses to the original plus the member, and loses no byte") {
    testing::json_samples samples(872);
    simdjson::dom::parser before, after;
    int unchanged = 0;
    for (int round = 0; round < 20'000; ++round) {
        const std::string body = samples.object();
        CAPTURE(body);
        const auto planned = plan_insertion(body, consistency);
        if (!planned) {
            REQUIRE(planned.error() == not_augmented::backends_own_word);
            ++unchanged;
            continue;
        }
        std::string text = applied(body, *planned);
        const auto original = before.parse(body), changed = after.parse(text);
        REQUIRE(original.error() == simdjson::SUCCESS);
        REQUIRE(changed.error() == simdjson::SUCCESS);

        // The member is there, once ..
        std::map<std::string, std::string> expected, found;
        bool is_there = false;
        for (const auto [name, member] : original.get_object()) expected[std::string(name)] = canonical(member);
        for (const auto [name, member] : changed.get_object()) {
            found[std::string(name)] = canonical(member);
            if (name != "info" || !member.is_object()) continue;
            std::size_t times = 0;
            for (const auto [inner, value] : member.get_object()) {
                if (inner != "resource_consistency") continue;
                ++times;
                is_there = simdjson::to_string(value) == consistency;
            }
            is_there = is_there && times == 1;
        }
        REQUIRE(is_there);
        // .. and nothing else has changed.
        std::string without = found["info"];
        const std::string member = "resource_consistency={is_download_ready=false;is_upload_ready=true;};";
        REQUIRE(without.find(member) != without.npos);
        without.erase(without.find(member), member.size());
        if (!expected.contains("info")) expected["info"] = "{}";
        found["info"] = without;
        REQUIRE(found == expected);

        REQUIRE(text.erase(planned->at, planned->text.size()) == body);
    }
    CHECK(unchanged > 100);
}

TEST_CASE("property: what is JSON by the grammar, and only that, is taken for it") {
    testing::json_samples samples(12);
    int valid = 0;
    for (int round = 0; round < 20'000; ++round) {
        const std::string body = samples.damaged(samples.object());
        CAPTURE(body);
        const auto facts = testing::json_grammar::read(body);
        if (facts && !facts->within_simdjson()) continue;
        const auto planned = plan_insertion(body, "1");
        REQUIRE((planned || planned.error() != not_augmented::invalid_json) == facts.has_value());
        valid += facts ? 1 : 0;
    }
    CHECK(valid > 500);
}

TEST_CASE("property: a body cut short is never augmented") {
    testing::json_samples samples(3);
    for (int round = 0; round < 500; ++round) {
        const std::string body = samples.object();
        for (std::size_t size = 0; size < body.size(); ++size)
            REQUIRE(refused(std::string_view(body).substr(0, size)) == not_augmented::invalid_json);
    }
}

TEST_CASE("each production of the grammar is taken, and nothing else") {
    for (const auto& each : testing::json_corpus()) {
        const auto& production = each.production;
        const auto& text = each.text;
        const bool valid = each.valid;
        CAPTURE(production);
        CAPTURE(text);
        const auto facts = testing::json_grammar::read(text);
        CHECK(facts.has_value() == valid);                  // the corpus says what the grammar says
        const bool taken = valid && !facts->lone_surrogate; // half of a pair is nothing that UTF-8 can hold
        for (const auto& body : {"{\"a\":" + text + "}", "{\"a\":[1," + text + "],\"b\":{}}"}) {
            const auto planned = plan_insertion(body, "1");
            if (!taken)
                CHECK(refused(body) == not_augmented::invalid_json);
            else if (facts->large_number)
                CHECK(refused(body) == not_augmented::number_out_of_range);
            else
                CHECK(planned.has_value());
        }
    }
}

TEST_CASE("what stands behind the text is not read for it") {
    for (const std::string_view behind : {"}", "]", ",", "\"", " ", "{", ":1}"}) {
        std::string room = R"({"a":1})";
        const auto size = room.size();
        while (room.size() < size + json_padding) room += behind;
        CHECK(plan_insertion({std::string_view(room).substr(0, size), json_padding}, "1").has_value());
        CHECK(plan_insertion({std::string_view(room).substr(0, size - 1), json_padding + 1}, "1").error() ==
              not_augmented::invalid_json);
    }
}

TEST_CASE("every reason has a word of its own") {
    std::set<std::string_view> words;
    for (const auto word : not_augmented_words) {
        CHECK_FALSE(word.empty());
        CHECK(words.insert(word).second);
    }
    CHECK(to_string(not_augmented::not_200) == "not_200");
    CHECK(to_string(not_augmented::number_out_of_range) == "number_out_of_range");
    CHECK(to_string(not_augmented::backends_own_word) == "backends_own_word");
}

} // namespace insertion_test
