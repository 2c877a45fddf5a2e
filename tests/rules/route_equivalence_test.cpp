// Our matching against the backend's: known spellings, spellings made to be the same, and any.
#include "sidecar/rules.hpp"
#include "tests/rules/target_spellings.hpp"

#include <doctest/doctest.h>

#include <cctype>
#include <optional>
#include <string>
#include <vector>

namespace route_equivalence_test {

using namespace sidecar;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string project = "/api/v1/projects/" + id;

struct route {
    std::string method;
    std::vector<std::string> words;
    std::size_t rule;
};
const std::vector<route> routes{
    {"GET", {"projects", ""}, 0}, {"GET", {"files", "", "url"}, 1}, {"POST", {"projects", "", "uploads"}, 2},
    {"POST", {"projects"}, 3},    {"POST", {"files"}, 4},           {"PUT", {"files", ""}, 5}};

const rule_table table{rules_config{}};

decision decide(std::string_view method, const std::string& path) {
    return table.decide({method, path + "?info", {}}, {}, {});
}

bool is_gate(const std::string& path) {
    const auto made = decide("POST", path);
    return made.rule == 2 && made.id == parse_uuid(id);
}

bool is_project(const std::string& path) {
    const auto made = decide("GET", path);
    return made.rule == 0 && made.id == parse_uuid(id);
}

std::vector<std::string> in_full(std::vector<std::string> words) {
    for (auto& word : words)
        if (word.empty()) word = id;
    words.insert(words.begin(), {"api", "v1"});
    return words;
}

// As Mustermann unescapes what it captured.
std::string unescaped(const std::string& text) {
    std::string plain;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '%' && i + 2 < text.size() && std::isxdigit(text[i + 1]) && std::isxdigit(text[i + 2])) {
            plain += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
            i += 2;
        } else {
            plain += text[i];
        }
    }
    return plain;
}

TEST_CASE("spellings that the backend takes for the upload route are gated") {
    for (const auto* path :
         {"/uploads", "/uploads/", "/uploads///", "//uploads", "/uploads.json", "/uploads.JSON", "/uploads.foo",
          "/uploads.foo/", "/uploads%2ejson", "/uploads%2Ejson//", "/%75ploads", "/uploads.json;x", "/uploads.a%2eb",
          "/uploads%2e%2e", "/uploads.%2f", "/uploads.%zz", "/uploads.\xff"})
        CHECK_MESSAGE(is_gate(project + path), path);
    CHECK(is_gate("//api//v1///projects//" + id + "//uploads"));
    CHECK(is_gate("/api/v1/%70rojec%74s/%63" + id.substr(1) + "/uploads"));
    CHECK(is_gate(project + "/uploads#x"));
}

TEST_CASE("spellings that the backend takes for another route, or for none, are not gated") {
    for (const auto* path :
         {"/Uploads",       "/UPLOADS",      "/%55ploads",      "/uploads;x",  "/uploads.",   "/uploads./",
          "/uploads..json", "/uploads.a.b",  "/uploads/.json",  "/uploads/.",  "/./uploads",  "/x/../uploads",
          "%2fuploads",     "/uploads%2f",   "/uploads%00",     "/uploads%20", "/uploads+",   "/uploads%",
          "/uploads/x",     ".json/uploads", "%2ejson/uploads", ";x/uploads",  "%20/uploads", "\\uploads",
          "/uploads\\",     "/uploads%3f",   "/%2575ploads"})
        CHECK_MESSAGE(!is_gate(project + path), path);
    for (const auto* prefix :
         {"/%61pi/v1", "/api/%761", "/API/v1", "/api/V1", "/api;x/v1", "/api.json/v1", "/api/v2", "/x/api/v1", ""})
        CHECK_MESSAGE(!is_gate(prefix + std::string("/projects/") + id + "/uploads"), prefix);
    CHECK_FALSE(is_gate("/api/v1/projects;x/" + id + "/uploads"));
    CHECK_FALSE(is_gate("/api/v1/projects.json/" + id + "/uploads"));
    CHECK_FALSE(is_gate("/api/v1/projects%2f" + id + "/uploads"));
}

TEST_CASE("spellings of the project route") {
    for (const auto* rest : {"", "/", ".json", ".json/", "%2ejson", ".a;b", ".a%2eb", "%2eurl"})
        CHECK_MESSAGE(is_project(project + rest), rest);
    for (const auto* rest : {".", "..", "..json", ".a.b", "%2e", "%2e.b", "%2ea.b", "%2ea%2eb", "%2f", ";a", ";a.json",
                             "%3b", "/.", "/.json"})
        CHECK_MESSAGE(!is_project(project + rest), rest);
}

TEST_CASE("padding of any length changes nothing") {
    const std::string slashes(100'000, '/');
    CHECK(is_gate(slashes + "api" + slashes + "v1/projects" + slashes + id + slashes + "uploads" + slashes));
    CHECK(is_gate(project + "/uploads." + std::string(100'000, 'x')));
    CHECK_FALSE(is_gate(project + "/uploads" + std::string(100'000, 'x')));
    CHECK_FALSE(is_gate(project + std::string(100'000, 'x') + "/uploads"));
    CHECK(is_project(project + "." + std::string(100'000, '%')));
}

TEST_CASE("property: a spelling made from what changes nothing is the same route") {
    testing::spellings make(20231);
    for (int i = 0; i < 20'000; ++i) {
        const auto& one = routes[make.below(routes.size())];
        const auto path = make.same(in_full(one.words));
        const auto made = decide(one.method, path);
        const bool names_one = one.words.size() > 1;
        CHECK_MESSAGE(made.rule == one.rule, one.method, " ", path);
        if (names_one) CHECK_MESSAGE(made.id == parse_uuid(id), one.method, " ", path);
    }
}

TEST_CASE("property: any spelling is selected as Grape's own expressions select it") {
    std::vector<testing::grape_route> grape;
    grape.reserve(routes.size());
    for (const auto& one : routes) grape.emplace_back(one.words);
    testing::spellings make(4711);
    std::size_t selected = 0;
    for (int i = 0; i < 20'000; ++i) {
        const auto& shape = routes[make.below(routes.size())];
        const auto path = make.any(in_full(shape.words));
        std::optional<std::size_t> rule;
        std::optional<uuid> found;
        for (std::size_t r = 0; r < routes.size() && !rule; ++r) {
            const auto match = grape[r].match_against(path);
            if (!match.found || routes[r].method != shape.method) continue;
            rule = routes[r].rule;
            found = parse_uuid(unescaped(match.id));
        }
        const auto made = decide(shape.method, path);
        CHECK_MESSAGE(made.rule == rule.value_or(decision::no_rule), shape.method, " ", path);
        CHECK_MESSAGE(made.id == found, shape.method, " ", path);
        selected += rule ? 1 : 0;
    }
    CHECK(selected > 4'000);
}

} // namespace route_equivalence_test
