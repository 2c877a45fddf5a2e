#include "sidecar/readiness.hpp"

#include "tests/rules/json_corpus.hpp"
#include "tests/rules/json_grammar.hpp"
#include "tests/rules/json_samples.hpp"

#include <doctest/doctest.h>

namespace status_document_test {

using namespace sidecar;

const schema dds{{{"projects", {"is_upload_ready", "is_download_ready"}}, {"files", {"is_download_ready"}}}};
constexpr std::string_view one = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1", two = "777be35a-98e0-4c2e-9a17-7bc009f9b111";

const std::string sample = R"({
  "projects": [ {"id": "ca29f7df-33ca-46dd-a015-92c46fdb6fd1", "is_upload_ready": false, "is_download_ready": true} ],
  "files":    [ {"id": "777be35a-98e0-4c2e-9a17-7bc009f9b111", "is_download_ready": false} ]
})";

status_document taken(std::string_view body) {
    auto read = read_status(body, dds);
    REQUIRE_MESSAGE(read.has_value(), read.error().message);
    return std::move(*read);
}

std::string refused(std::string_view body) {
    const auto read = read_status(body, dds);
    REQUIRE(read.has_error());
    return read.error().message;
}

const member_states* find(const status_document& document, std::size_t collection, std::string_view id) {
    return document.collections[collection].find(*parse_uuid(id));
}

std::string entry(std::string_view more) { return "{\"id\":\"" + std::string(one) + "\"" + std::string(more) + "}"; }
std::string projects(std::string_view entries) { return "{\"projects\":[" + std::string(entries) + "]}"; }

TEST_CASE("a status document is read by collection, id and member") {
    const auto document = taken(sample);
    CHECK(document.bytes == sample.size());
    REQUIRE(document.collections.size() == 2);
    CHECK(document.collections[0].size() == 1);
    CHECK(find(document, 0, one)->get(0) == state::not_ready);
    CHECK(find(document, 0, one)->get(1) == state::ready);
    CHECK(find(document, 1, two)->get(0) == state::not_ready);
    CHECK(find(document, 1, one) == nullptr);
}

TEST_CASE("ids are compared without regard to case") {
    CHECK(find(taken(projects(R"({"id":"CA29F7DF-33CA-46DD-A015-92C46FDB6FD1"})")), 0, one) != nullptr);
}

TEST_CASE("a member that an entry leaves out is unknown, not ready or not") {
    const auto document = taken(projects(entry(R"(,"is_download_ready":true)")));
    CHECK(find(document, 0, one)->get(0) == state::unknown);
    CHECK(find(document, 0, one)->get(1) == state::ready);
}

TEST_CASE("a collection that is missing is empty") {
    for (const char* body : {"{}", R"({"files":[]})", R"({"projects":[ ]})", "\xEF\xBB\xBF { } \n"}) {
        const auto document = taken(body);
        CHECK(document.collections[0].size() == 0);
        CHECK(document.collections[1].size() == 0);
    }
}

TEST_CASE("what no rule asks for is ignored, whatever it is") {
    const auto document = taken(R"({"as_of":123456789012345678901234567890,"folders":{"a":[1e999,null]},"projects":[)" +
                                entry(R"(,"name":"x","is_upload_ready":true,"n":[{}])") + "]}");
    CHECK(find(document, 0, one)->get(0) == state::ready);
}

TEST_CASE("names count however they are spelled") {
    const auto document = taken(
        R"({"pro\u006Aects":[{"\u0069d":"\u0063a29f7df-33ca-46dd-a015-92c46fdb6fd1","is\u005fupload_ready":false}]})");
    CHECK(find(document, 0, one)->get(0) == state::not_ready);
}

TEST_CASE("the last of two entries with the same id counts") {
    const auto document =
        taken(projects(entry(R"(,"is_upload_ready":false)") + "," + entry(R"(,"is_upload_ready":true)")));
    CHECK(document.collections[0].size() == 1);
    CHECK(find(document, 0, one)->get(0) == state::ready);
}

TEST_CASE("a schema that asks for nothing still wants valid JSON") {
    CHECK(read_status(sample, {}).has_value());
    CHECK(read_status("{", {}).has_error());
}

TEST_CASE("a failure says what was wrong, and where") {
    CHECK(refused(projects(entry("") + "," + entry("") + R"(,{"is_upload_ready":true})")) ==
          "status document: projects[2]: 'id' is missing, 131 bytes read");
    CHECK(refused(R"({"projects":[{"id":7}]})") == "status document: projects[0]: 'id' is not a string, 23 bytes read");
    CHECK(refused(R"({"projects":[{"id":"7"}]})") == "status document: projects[0]: 'id' is not a UUID, 25 bytes read");
    CHECK(refused(R"({"projects":[1]})") == "status document: projects[0] is not an object, 16 bytes read");
    CHECK(refused(R"({"projects":{}})") == "status document: 'projects' is not an array, 15 bytes read");
    CHECK(refused("[]") == "status document: the top level is not an object, 2 bytes read");
    CHECK(refused("") == "status document: empty, 0 bytes read");
    CHECK(refused("<html>") == "status document: the top level is not an object, 6 bytes read");
    CHECK(refused(R"({"projects":[)" + entry("") + R"(],"files":[1]})") ==
          "status document: files[0] is not an object, 72 bytes read");
    CHECK(refused(R"({"files":[1 2]})") == "status document: files[0] is not an object, 15 bytes read");
    CHECK(refused(R"({"a":[1 2]})") == "status document: malformed JSON at byte 8, 11 bytes read");
    CHECK(refused(R"({"files":[)") == "status document: malformed JSON, ends too soon, 10 bytes read");
    CHECK(refused("{\"a\":\"\xFF\"}") == "status document: not UTF-8, 9 bytes read");
    CHECK(refused("{} {}") == "status document: malformed JSON at byte 3, 5 bytes read");
}

TEST_CASE("a member that a rule asks for is a boolean or the document is refused") {
    for (const char* value : {"null", "1", "\"true\"", "[]", "{}"}) {
        const auto message = refused(projects(entry(",\"is_download_ready\":" + std::string(value))));
        CHECK(message.starts_with("status document: projects[0]: 'is_download_ready' is not a boolean, "));
    }
}

TEST_CASE("a name that stands there twice is refused: it can't be known which is meant") {
    CHECK(refused(R"({"files":[],"files":[]})") == "status document: 'files' is there twice, 23 bytes read");
    CHECK(refused(projects(entry(R"(,"id":"777be35a-98e0-4c2e-9a17-7bc009f9b111")")))
              .starts_with("status document: projects[0]: 'id' is there twice, "));
    CHECK(refused(projects(entry(R"(,"is_upload_ready":true,"is_upload_ready":true)")))
              .starts_with("status document: projects[0]: 'is_upload_ready' is there twice, "));
    CHECK(taken(projects(entry(R"(,"name":1,"name":2)"))).collections[0].size() == 1);
}

TEST_CASE("malformed at any byte, it is refused whole") {
    for (std::size_t at = 0; at < sample.size(); ++at) {
        CAPTURE(at);
        refused(std::string_view(sample).substr(0, at)); // cut short
        for (const char bad : {'\0', '\x01', '\xFF', '\x80'}) {
            std::string damaged = sample;
            damaged[at] = bad;
            refused(damaged);
            damaged = sample;
            damaged.insert(at, 1, bad);
            refused(damaged);
        }
        if (std::string_view("{}[]:,\"").find(sample[at]) == std::string_view::npos) continue;
        std::string damaged = sample;
        damaged.erase(at, 1);
        refused(damaged);
        damaged = sample;
        damaged.insert(at, 1, sample[at]);
        refused(damaged);
    }
}

TEST_CASE("in what no rule asks for, each production of the grammar is ignored, and nothing else") {
    for (const auto& each : testing::json_corpus()) {
        const auto& production = each.production;
        const auto& text = each.text;
        const bool valid = each.valid;
        CAPTURE(production);
        CAPTURE(text);
        const auto facts = testing::json_grammar::read(text);
        const bool taken = valid && !facts->lone_surrogate; // half of a pair is nothing that UTF-8 can hold
        for (const auto& body : {"{\"x\":" + text + "}", "{\"x\":[{\"y\":" + text + "},1],\"files\":[]}",
                                 projects(entry(",\"x\":" + text)), projects(entry(",\"x\":[" + text + "]"))}) {
            CAPTURE(body);
            CHECK(read_status(body, dds).has_value() == taken);
        }
    }
}

TEST_CASE("property: what is a status document by the grammar is read, and nothing that is no JSON") {
    testing::json_samples samples(77);
    int read = 0;
    for (int round = 0; round < 20'000; ++round) {
        std::string body = projects(entry(",\"x\":" + samples.value(4)));
        body.insert(1, "\"y\":" + samples.object() + ",");
        if (round % 4 != 0) body = samples.damaged(body);
        CAPTURE(body);
        const bool taken = read_status(body, dds).has_value();
        const auto facts = testing::json_grammar::read(body);
        if (round % 4 == 0) REQUIRE(taken);
        if (!facts) REQUIRE_FALSE(taken);
        read += taken ? 1 : 0;
    }
    CHECK(read > 5'500);
}

TEST_CASE("what stands behind the text is not read for it") {
    for (const std::string_view behind : {"}", "]", ",", "\"", " ", "{", "]}", "}]}", ":1}"}) {
        std::string room;
        while (room.size() < json_padding) room += behind;
        for (std::size_t size = 0; size <= sample.size(); ++size) {
            const auto bytes = sample.substr(0, size) + room;
            const auto read = read_status({std::string_view(bytes).substr(0, size), room.size()}, dds);
            CHECK(read.has_value() == (size == sample.size()));
        }
    }
}

TEST_CASE("nesting is followed to 1024 levels in what no rule asks for") {
    const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
    CHECK(read_status("{\"x\":" + nested(1023) + "}", dds).has_value());
    CHECK(refused("{\"x\":" + nested(1024) + "}") == "status document: nested too deep, 2054 bytes read");
    CHECK(read_status(projects(entry(",\"x\":" + nested(1021))), dds).has_value());
    CHECK(refused(projects(entry(",\"x\":" + nested(1022)))).starts_with("status document: nested too deep"));
}

TEST_CASE("nesting without end is refused, not followed") {
    refused("{\"x\":" + std::string(1'000'000, '['));
    refused("{\"projects\":" + std::string(1'000'000, '['));
}

TEST_CASE("malformed JSON behind a wrong type is still refused") {
    CHECK(refused(R"({"projects":[1],)") == "status document: malformed JSON, ends too soon, 16 bytes read");
    CHECK(refused(R"({"projects":[1],})") == "status document: projects[0] is not an object, 17 bytes read");
    CHECK(refused("[1,]") == "status document: the top level is not an object, 4 bytes read");
}

TEST_CASE("a document of a million entries") {
    std::string body = "{\"projects\":[";
    std::vector<uuid> ids;
    for (std::uint64_t i = 0; i < 1'000'000; ++i) {
        ids.push_back({i * 0x9E3779B97F4A7C15, i});
        body.append(i == 0 ? "{\"id\":\"" : ",{\"id\":\"").append(to_string(ids.back()));
        body.append(i % 2 == 0 ? "\",\"is_upload_ready\":false}" : "\",\"is_upload_ready\":true}");
    }
    const auto document = taken(body + "]}");
    REQUIRE(document.collections[0].size() == ids.size());
    for (std::size_t i = 0; i < ids.size(); i += 97)
        REQUIRE(document.collections[0].find(ids[i])->get(0) == (i % 2 == 0 ? state::not_ready : state::ready));
}

TEST_CASE("one reader reads one document after the other, large, small, wrong, as if each were its first") {
    std::string large = "{\"projects\":[";
    constexpr std::size_t count = 200'000; // its table has large pages, if there are any
    for (std::uint64_t i = 0; i < count; ++i)
        large += (i ? ",{\"id\":\"" : "{\"id\":\"") + to_string(uuid{7, i}) + "\",\"is_upload_ready\":false}";
    large += "]}";
    status_reader reader;
    for (int again = 0; again < 3; ++again) {
        const auto many = reader.read(large, dds).value();
        CHECK(many.collections[0].size() == count);
        CHECK(many.collections[0].not_ready_count(0) == count);
        CHECK(many.collections[0].find({7, count - 1}) != nullptr);
        CHECK(many.collections[0].find({7, count}) == nullptr);
        CHECK(many.collections[1].size() == 0);
        const auto few = reader.read(sample, dds).value();
        CHECK(few.collections[0].size() == 1);
        CHECK(few.collections[1].size() == 1);
        CHECK(find(few, 1, two)->get(0) == state::not_ready);
        for (const std::string_view wrong :
             {std::string_view("{\"projects\":[{}]}"), std::string_view("{\"projects\":[{"),
              std::string_view(large).substr(0, large.size() - 2)})
            CHECK(reader.read(wrong, dds).error().message == read_status(wrong, dds).error().message);
        CHECK(reader.read("{}", {}).value().collections.empty());
    }
}

} // namespace status_document_test
