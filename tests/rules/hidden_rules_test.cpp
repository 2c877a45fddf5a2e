#include "sidecar/rules.hpp"

#include <doctest/doctest.h>

namespace hidden_rules_test {

using namespace sidecar;

rule augmenting(std::string method, std::string path, std::string query = {}) {
    return {"a", std::move(method), std::move(path), std::move(query), augment_rule{"projects", {"is_upload_ready"}}};
}

rule learning(std::string method, std::string path) {
    return {"l", std::move(method), std::move(path), "", learn_rule{"projects", {"is_upload_ready"}, id_from::path}};
}

// Whether the second of two rules is hidden by the first.
bool hides(rule first, rule second) {
    const auto hidden = hidden_rules({std::move(first), std::move(second)});
    if (hidden.empty()) return false;
    CHECK(hidden.size() == 1);
    CHECK(hidden[0].rule == 1);
    CHECK(hidden[0].by == 0);
    return true;
}

TEST_CASE("a rule that selects the same requests as an earlier one is hidden") {
    CHECK(hides(augmenting("GET", "/projects/{id}", "info"), augmenting("GET", "/projects/{id}", "info")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/{id}", "info"), augmenting("GET", "/files/{id}", "info")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/{id}"), augmenting("POST", "/projects/{id}")));
}

TEST_CASE("a rule without a query hides one with, and not the other way round") {
    CHECK(hides(augmenting("GET", "/projects/{id}"), augmenting("GET", "/projects/{id}", "info")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/{id}", "info"), augmenting("GET", "/projects/{id}")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/{id}", "info"), augmenting("GET", "/projects/{id}", "state")));
}

TEST_CASE("an {id} hides a word in its place, and not the other way round") {
    CHECK(hides(augmenting("GET", "/projects/{id}/url"), augmenting("GET", "/projects/current/url")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/current/url"), augmenting("GET", "/projects/{id}/url")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/{id}"), augmenting("GET", "/projects/{id}/url")));
    CHECK_FALSE(hides(augmenting("GET", "/projects/{id}/url"), augmenting("GET", "/projects/{id}")));
}

TEST_CASE("a rule for GET takes HEAD too, unless it learns") {
    CHECK(hides(augmenting("GET", "/projects/{id}"), augmenting("HEAD", "/projects/{id}")));
    CHECK_FALSE(hides(augmenting("HEAD", "/projects/{id}"), augmenting("GET", "/projects/{id}")));
    CHECK(hides(augmenting("GET", "/projects/{id}"), learning("GET", "/projects/{id}")));
    CHECK_FALSE(hides(learning("GET", "/projects/{id}"), augmenting("GET", "/projects/{id}")));
    CHECK_FALSE(hides(learning("GET", "/projects/{id}"), augmenting("HEAD", "/projects/{id}")));
    CHECK(hides(learning("HEAD", "/projects/{id}"), augmenting("HEAD", "/projects/{id}")));
}

TEST_CASE("each hidden rule is named with the first that hides it; the built-in rules hide none") {
    CHECK(hidden_rules({}).empty());
    CHECK(hidden_rules(dds_rules()).empty());
    const auto any = augmenting("GET", "/{id}"), same = augmenting("GET", "/projects");
    const auto hidden = hidden_rules({any, augmenting("PUT", "/x"), same, same});
    REQUIRE(hidden.size() == 2);
    CHECK(hidden[0].rule == 2);
    CHECK(hidden[0].by == 0);
    CHECK(hidden[1].rule == 3);
    CHECK(hidden[1].by == 0);
}

} // namespace hidden_rules_test
