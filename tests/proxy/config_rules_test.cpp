// What is wrong with a configuration's rules.
#include "tests/proxy/config_reading.hpp"

#include <doctest/doctest.h>

namespace config_rules_test {

using namespace sidecar;
using namespace config_reading;

std::string one_rule(std::string_view method, std::string_view path, std::string_view action) {
    return "rules: [{name: a, method: " + std::string(method) + ", path: \"" + std::string(path) + "\", " +
           std::string(action) + "}]";
}

constexpr std::string_view gate = "gate: {collection: c, member: m}";
constexpr std::string_view augment = "augment: {collection: c, members: [m]}";

TEST_CASE("a path is a template with at most one {id}") {
    for (const auto* path : {"", "a", "/", "/a/", "/a//b", "/a/{id}/{id}", "/a/{name}", "/a/b{id}", "/a.json", "/a%2Fb",
                             "/a?b", "/..", "/a/./b", "/ä"})
        CHECK_MESSAGE(complaints(one_rule("POST", path, gate)).find("rules[0].path: ") != std::string::npos, path);
    CHECK(complaints(one_rule("POST", "/file_versions/{id}/url-x", gate)).empty());
}

TEST_CASE("a rule's action says what its method and path must be") {
    CHECK(complaints(one_rule("OPTIONS", "/a/{id}", gate)).find("OPTIONS is never gated") != std::string::npos);
    CHECK(complaints(one_rule("POST", "/a/{id}", augment)).find("augment is for GET, not POST") != std::string::npos);
    CHECK(complaints(one_rule("POST", "/a", gate)).find("gate needs {id} in it") != std::string::npos);
    CHECK(complaints(one_rule("GET", "/a", augment)).find("augment needs {id} in it") != std::string::npos);
    CHECK(complaints(one_rule("PUT", "/a", "learn: {collection: c, members: [m], id: path}"))
              .find("learn with id: path needs {id} in it") != std::string::npos);
    CHECK(complaints(one_rule("PUT", "/a", "learn: {collection: c, members: [m]}")).empty());
    CHECK(complaints(one_rule("get", "/a/{id}", augment)).find("did you mean 'GET'?") != std::string::npos);
    CHECK(
        complaints(one_rule("GET", "/a/{id}", "x: 1")).find("expected exactly one of augment, gate, learn, not none") !=
        std::string::npos);
    CHECK(complaints(one_rule("GET", "/a/{id}", std::string(gate) + ", " + std::string(augment)))
              .find("expected exactly one of augment, gate, learn, not 2") != std::string::npos);
}

TEST_CASE("a rule must say what it is about") {
    CHECK(complaints("rules:\n  - query: a\n    gate: {}") == "2:5: rules[0].name: is missing\n"
                                                              "2:5: rules[0].method: is missing\n"
                                                              "2:5: rules[0].path: is missing\n"
                                                              "3:11: rules[0].gate.collection: is missing\n"
                                                              "3:11: rules[0].gate.member: is missing");
    CHECK(complaints(one_rule("GET", "/a/{id}", "augment: {collection: c, members: []}"))
              .find("members: must not be empty") != std::string::npos);
    CHECK(complaints(one_rule("GET", "/a/{id}", "augment: {collection: c, members: [id]}"))
              .find("'id' names the entry") != std::string::npos);
    CHECK(complaints(one_rule("GET", "/a/{id}", "augment: {collection: c, members: [m, m]}"))
              .find("'m' is there twice") != std::string::npos);
}

TEST_CASE("rules have names of their own and do not select the same") {
    const std::string a = "{name: a, method: POST, path: '/a/{id}', gate: {collection: c, member: m}}";
    const std::string b = "{name: b, method: POST, path: '/a/{id}', gate: {collection: c, member: m}}";
    const std::string same_name = "{name: a, method: POST, path: '/b/{id}', gate: {collection: c, member: m}}";
    CHECK(complaints("rules:\n- " + a + "\n- " + b) == "3:3: rules[1]: selects the same requests as 'a'");
    CHECK(complaints("rules:\n- " + a + "\n- " + same_name) == "3:10: rules[1].name: 'a' is the name of another rule");
}

TEST_CASE("there are limits to rules and members") {
    const auto rules = [](int count, int members) {
        std::string text = "builtin_rules: false\nrules:\n";
        for (int i = 0; i < count; ++i) {
            const auto n = std::to_string(i);
            text.append("- {name: r").append(n).append(", method: GET, path: '/a").append(n).append("/{id}', ");
            text.append("augment: {collection: c, members: [m").append(std::to_string(i % members)).append("]}}\n");
        }
        return text;
    };
    CHECK(complaints(rules(32, 16)).empty());
    CHECK(complaints(rules(33, 16)) == "35:3: rules: at most 32, not 33");
    CHECK(complaints(rules(32, 17)) == "19:3: rules[16]: the rules name more than 16 members of 'c'");
    auto with_builtin = rules(27, 16);
    with_builtin.replace(with_builtin.find("false"), 5, "true");
    CHECK(complaints(with_builtin) == "3:1: rules: at most 32 with the built-in ones, not 33");
}

} // namespace config_rules_test
