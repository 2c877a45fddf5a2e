#include "sidecar/rules.hpp"
#include "tests/rules/allocations.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace decide_test {

using namespace sidecar;
using namespace std::chrono_literals;

const time_point now{1h};
const uuid id = *parse_uuid("ca29f7df-33ca-46dd-a015-92c46fdb6fd1");
const std::string project = "/api/v1/projects/" + to_string(id);
const std::string file = "/api/v1/files/" + to_string(id);
const std::vector<field_line> with_token{{"Authorization", "token", "Authorization: token\r\n"}};

// The project and the file of this id, as a poll just found them.
readiness found(bool upload_ready, bool download_ready) {
    const auto bit = [](bool ready) { return ready ? state::ready : state::not_ready; };
    member_states projects, files;
    projects.set(0, bit(upload_ready));
    projects.set(1, bit(download_ready));
    files.set(0, bit(download_ready));
    auto document = std::make_shared<status_document>();
    document->collections.emplace_back(std::vector<resource_table::entry>{{id, projects}});
    document->collections.emplace_back(std::vector<resource_table::entry>{{id, files}});
    readiness known;
    known.document = document;
    known.asked_at = known.answered_at = now;
    return known;
}

const readiness nothing_known;
const readiness not_ready = found(false, false);
const readiness ready = found(true, true);

rules_config only(decltype(rule::action) action, std::string method = "GET", std::string path = "/projects/{id}") {
    rules_config config;
    config.rules = {{"only", std::move(method), std::move(path), "", std::move(action)}};
    return config;
}

decision decide(std::string_view method, std::string_view target, const readiness& known = not_ready,
                const std::vector<field_line>& fields = with_token, const rules_config& config = {}) {
    return rule_table(config).decide({method, target, fields}, known, now);
}

bool is_forward(const decision& d) { return std::holds_alternative<forward>(d.action); }
bool is_untouched(const decision& d) { return is_forward(d) && !std::get<forward>(d.action).learn; }
bool is_gated(const decision& d) { return std::holds_alternative<local_reply>(d.action); }
std::string inserted_by(const decision& d) {
    const auto* what = std::get_if<augment>(&d.action);
    return what ? what->consistency : "";
}

TEST_CASE("what no rule selects is forwarded") {
    for (const auto* target :
         {"/", "/apidocs", "/api/v1/projects", "/api/v1/users", "*", "", "api/v1/projects/x?info"}) {
        const auto made = decide("GET", target);
        CHECK(is_untouched(made));
        CHECK(made.reason == reason::no_rule);
        CHECK(made.rule == decision::no_rule);
    }
    CHECK(decide("GET", project).reason == reason::no_rule);
    CHECK(decide("GET", project + "?%7B%7D").reason == reason::no_rule);
    CHECK(decide("GET", project + "/uploads").reason == reason::no_rule);
    CHECK(decide("DELETE", project + "?info").reason == reason::no_rule);
    CHECK(decide("OPTIONS", project + "/uploads").reason == reason::no_rule);
    CHECK(decide("GET", project + "/url?info").reason == reason::no_rule);
}

TEST_CASE("a project's info has both members in the rule's order") {
    const auto made = decide("GET", project + "?info", found(false, true));
    CHECK(inserted_by(made) == R"({"is_upload_ready":false,"is_download_ready":true})");
    CHECK(made.reason == reason::augmented);
    CHECK(made.rule == 0);
    CHECK(made.id == id);
}

TEST_CASE("a file's info has the one member") {
    CHECK(inserted_by(decide("GET", file + "/url?info")) == R"({"is_download_ready":false})");
    CHECK(inserted_by(decide("GET", file + "/url?info", ready)) == R"({"is_download_ready":true})");
}

TEST_CASE("info's members stand in their rule's order, whatever another rule named first") {
    auto config = only(augment_rule{"projects", {"is_download_ready", "is_upload_ready"}});
    config.rules.insert(config.rules.begin(), dds_rules()[2]);
    const auto made = decide("GET", project, found(false, true), with_token, config);
    CHECK(inserted_by(made) == R"({"is_download_ready":true,"is_upload_ready":false})");
}

TEST_CASE("a resource that the document does not list is ready") {
    const auto other = "/api/v1/projects/00000000-0000-0000-0000-000000000000";
    CHECK(inserted_by(decide("GET", std::string(other) + "?info")) ==
          R"({"is_upload_ready":true,"is_download_ready":true})");
}

TEST_CASE("an unknown readiness leaves info out, unless the rule says what it is then") {
    CHECK(is_untouched(decide("GET", project + "?info", nothing_known)));
    CHECK(decide("GET", project + "?info", nothing_known).reason == reason::unknown);

    const auto as = [](unknown_augment unknown) {
        return decide("GET", project, nothing_known, {}, only(augment_rule{"projects", {"a", "b"}, unknown}));
    };
    CHECK(is_untouched(as(unknown_augment::omit)));
    CHECK(inserted_by(as(unknown_augment::ready)) == R"({"a":true,"b":true})");
    CHECK(inserted_by(as(unknown_augment::not_ready)) == R"({"a":false,"b":false})");
    CHECK(as(unknown_augment::not_ready).reason == reason::unknown);
}

TEST_CASE("a HEAD of an augmented GET is one too") {
    const auto made = decide("HEAD", project + "?info");
    REQUIRE(std::holds_alternative<augment>(made.action));
    CHECK(std::get<augment>(made.action).head);
    CHECK_FALSE(std::get<augment>(decide("GET", project + "?info").action).head);
    CHECK(decide("HEAD", project).reason == reason::no_rule);
}

TEST_CASE("the gate is closed while the project is not upload-ready") {
    const auto made = decide("POST", project + "/uploads", found(false, true));
    REQUIRE(is_gated(made));
    const auto& reply = std::get<local_reply>(made.action);
    CHECK(reply.status == 404);
    CHECK(reply.reason_phrase == "Not Found");
    CHECK(reply.retry_after);
    CHECK(reply.code == "resource_not_consistent");
    CHECK(reply.reason == "resource changes are still being processed by system");
    CHECK(reply.suggestion ==
          "this is a temporary state that will eventually be resolved by the system; please retry request");
    CHECK(made.reason == reason::not_ready);
    CHECK(made.id == id);
}

TEST_CASE("the gate is open when the project is upload-ready") {
    const auto made = decide("POST", project + "/uploads", found(true, false));
    CHECK(is_untouched(made));
    CHECK(made.reason == reason::ready);
}

TEST_CASE("only a fresh, explicit word closes the gate") {
    auto stale = not_ready;
    stale.answered_at = now - stale.max_age - 1ms;
    for (const auto& known : {stale, nothing_known}) {
        CHECK(is_untouched(decide("POST", project + "/uploads", known)));
        CHECK(decide("POST", project + "/uploads", known).reason == reason::unknown);
    }
    const auto strict = only(gate_rule{"projects", "is_upload_ready", {}, unknown_gate::reject});
    CHECK(is_gated(decide("GET", project, nothing_known, {}, strict)));
    CHECK(decide("GET", project, nothing_known, {}, strict).reason == reason::unknown);
}

TEST_CASE("a request without a token is the backend's to refuse") {
    const std::vector<field_line> other{{"Authorization-Info", "x", ""}, {"Host", "h", ""}};
    const std::vector<field_line> empty{{"Authorization", "", ""}};
    const std::vector<field_line> lower{{"Host", "h", ""}, {"authorization", "t", ""}};
    const std::vector<field_line> second{{"Authorization", "", ""}, {"Authorization", "t", ""}};
    CHECK(decide("POST", project + "/uploads", not_ready, {}).reason == reason::field_missing);
    CHECK(is_untouched(decide("POST", project + "/uploads", not_ready, other)));
    CHECK(is_untouched(decide("POST", project + "/uploads", not_ready, empty)));
    CHECK(is_gated(decide("POST", project + "/uploads", not_ready, lower)));
    CHECK(is_gated(decide("POST", project + "/uploads", not_ready, second)));
}

TEST_CASE("all the fields that a gate requires must be there") {
    const auto config = only(gate_rule{"projects", "m", {"authorization", "x-tenant"}, unknown_gate::reject});
    const std::vector<field_line> both{{"Authorization", "t", ""}, {"X-Tenant", "1", ""}};
    CHECK(is_untouched(decide("GET", project, nothing_known, with_token, config)));
    CHECK(is_gated(decide("GET", project, nothing_known, both, config)));
}

TEST_CASE("a gate on GET is one for HEAD as well") {
    const auto config = only(gate_rule{"projects", "is_upload_ready"});
    CHECK(is_gated(decide("HEAD", project, not_ready, with_token, config)));
}

TEST_CASE("a HEAD teaches nothing") {
    const auto config = only(learn_rule{"projects", {"is_upload_ready"}, id_from::path});
    CHECK(decide("GET", project, ready, {}, config).reason == reason::learning);
    CHECK(decide("HEAD", project, ready, {}, config).reason == reason::no_rule);
}

TEST_CASE("methods are compared with their case") {
    CHECK(decide("post", project + "/uploads").reason == reason::no_rule);
    CHECK(decide("Get", project + "?info").reason == reason::no_rule);
}

TEST_CASE("X-HTTP-Method-Override makes a POST another method") {
    for (const auto* value : {"PUT", "get", "Delete", "PATCH", "HEAD", "OPTIONS", "LINK", "UNLINK"}) {
        auto fields = with_token;
        fields.push_back({"X-HTTP-Method-Override", value, ""});
        const auto made = decide("POST", project + "/uploads", not_ready, fields);
        CHECK(is_untouched(made));
        CHECK(made.reason == reason::method_override);
        CHECK(is_untouched(decide("POST", "/api/v1/projects", not_ready, fields)));
        CHECK_FALSE(inserted_by(decide("GET", project + "?info", ready, fields)).empty());
    }
}

TEST_CASE("an override that Rails does not follow leads round no gate") {
    for (const auto* value : {"POST", "post", "", "FETCH", "PUT, PUT"}) {
        auto fields = with_token;
        fields.push_back({"x-http-method-override", value, ""});
        CHECK_MESSAGE(is_gated(decide("POST", project + "/uploads", not_ready, fields)), value);
    }
    for (const auto* second : {"X-HTTP-Method-Override", "X_HTTP_METHOD_OVERRIDE"}) { // to Puma these are one
        auto twice = with_token;
        twice.push_back({"X-HTTP-Method-Override", "PUT", ""});
        twice.push_back({second, "PUT", ""});
        CHECK(is_gated(decide("POST", project + "/uploads", not_ready, twice)));
    }
}

TEST_CASE("an id that is no UUID passes") {
    for (const auto* other :
         {"1", "x%20y", "ca29f7df33ca46dda01592c46fdb6fd1", "%00", "ca29f7df-33ca-46dd-a015-92c46fdb6fd1;x"}) {
        const auto gate = decide("POST", "/api/v1/projects/" + std::string(other) + "/uploads");
        CHECK(is_untouched(gate));
        CHECK(gate.reason == reason::id_is_no_uuid);
        CHECK_FALSE(gate.id);
        CHECK(is_untouched(decide("GET", "/api/v1/projects/" + std::string(other) + "?info")));
    }
}

TEST_CASE("ids are compared without regard to case") {
    CHECK(is_gated(decide("POST", "/api/v1/projects/CA29F7DF-33CA-46DD-A015-92C46FDB6FD1/uploads")));
}

TEST_CASE("a created project is learned from the response's body") {
    const auto made = decide("POST", "/api/v1/projects");
    REQUIRE(is_forward(made));
    const auto& learn = std::get<forward>(made.action).learn;
    REQUIRE(learn);
    CHECK(learn->rule == 3);
    CHECK_FALSE(learn->id);
    CHECK(made.reason == reason::learning);
    CHECK(std::get<forward>(decide("POST", "/api/v1/files/").action).learn->rule == 4);
}

TEST_CASE("a file's new version is learned from the path") {
    const auto learn = std::get<forward>(decide("PUT", file).action).learn;
    REQUIRE(learn);
    CHECK(learn->id == id);
    CHECK(decide("PUT", "/api/v1/files/x").reason == reason::id_is_no_uuid);
    CHECK(is_untouched(decide("PUT", "/api/v1/files/x")));
}

TEST_CASE("a lesson holds the rule's members as not ready") {
    const rule_table table{rules_config{}};
    const auto lesson = table.lesson(3, id, now);
    CHECK(lesson.id == id);
    CHECK(lesson.at == now);
    CHECK(table.needs().collections[lesson.collection].name == "projects");
    CHECK(lesson.members.get(0) == state::not_ready);
    CHECK(lesson.members.get(1) == state::not_ready);
    CHECK(lesson.members.get(2) == state::unknown);
    CHECK(table.needs().collections[table.lesson(5, id, now).collection].name == "files");
}

TEST_CASE("the table needs what the rules name, once, in the order of first mention") {
    const rule_table dds{rules_config{}};
    const auto& needs = dds.needs();
    REQUIRE(needs.collections.size() == 2);
    CHECK(needs.collections[0].name == "projects");
    CHECK(needs.collections[0].members == std::vector<std::string>{"is_upload_ready", "is_download_ready"});
    CHECK(needs.collections[1].name == "files");
    CHECK(needs.collections[1].members == std::vector<std::string>{"is_download_ready"});
}

TEST_CASE("more members of a collection than a snapshot holds are refused") {
    std::vector<std::string> names;
    for (std::size_t i = 0; i <= schema::members_max; ++i) names.push_back("m" + std::to_string(i));
    CHECK_THROWS_AS(rule_table(only(learn_rule{"projects", names})), std::invalid_argument);
    names.pop_back();
    CHECK_NOTHROW(rule_table(only(learn_rule{"projects", names})));
}

TEST_CASE("the first rule that selects a request decides") {
    auto config = only(augment_rule{"projects", {"first"}, unknown_augment::ready});
    config.rules.push_back({"second", "GET", "/projects/{id}", "", augment_rule{"projects", {"second"}}});
    CHECK(inserted_by(decide("GET", project, nothing_known, {}, config)) == R"({"first":true})");
    config.rules[0].query = "info";
    CHECK(decide("GET", project, nothing_known, {}, config).rule == 1);
}

TEST_CASE("any prefix, none among them, and any endpoint") {
    auto config = only(augment_rule{"file_versions", {"is_download_ready"}, unknown_augment::ready}, "GET",
                       "/file_versions/{id}/url");
    const auto path = "/file_versions/" + to_string(id) + "/url";
    const auto selects = [&](std::string prefix, const std::string& target) {
        config.prefix = std::move(prefix);
        return !inserted_by(decide("GET", target, nothing_known, {}, config)).empty();
    };
    CHECK(selects("", path));
    CHECK(selects("/", path));
    CHECK(selects("/api/v2/", "/api/v2" + path));
    CHECK(selects("/a", "//a/" + path + "/"));
    CHECK_FALSE(selects("", "/api/v1" + path));
    CHECK_FALSE(selects("/a", path));
    CHECK_FALSE(selects("/a", "/A" + path));
}

TEST_CASE("what the rules do not select costs no memory") {
    const rule_table table(rules_config{}, "/internal/consistency");
    const std::vector<std::string> targets{project,
                                           project + "?%7B%7D",
                                           project + "/children",
                                           "/apidocs/x.css",
                                           "/" + std::string(5000, '/') + "api",
                                           "/x?" + std::string(5000, '&') + "y",
                                           "/%2e/" + std::string(5000, 'x'),
                                           file + "?a;b;c"};
    for (const auto& target : targets) {
        for (const std::string_view method : {"GET", "POST", "DELETE", "HEAD"}) {
            const auto before = testing::allocations();
            const auto made = table.decide({method, target, with_token}, not_ready, now);
            const auto after = testing::allocations();
            CHECK(made.reason == reason::no_rule);
            CHECK(after == before);
        }
    }
}

TEST_CASE("the gate costs no memory") {
    const rule_table table(rules_config{}, "/internal/consistency");
    const auto target = "/api/v1/projects/%63" + to_string(id).substr(1) + "/%75ploads.json//";
    const auto before = testing::allocations();
    const auto made = table.decide({"POST", target, with_token}, not_ready, now);
    const auto after = testing::allocations();
    CHECK(is_gated(made));
    CHECK(after == before);
}

TEST_CASE("each reason has its word") {
    CHECK(to_string(reason::no_rule) == "no_rule");
    CHECK(to_string(reason::method_override) == "method_override");
    CHECK(to_string(reason::id_is_no_uuid) == "id_is_no_uuid");
    CHECK(to_string(reason::field_missing) == "field_missing");
    CHECK(to_string(reason::ready) == "ready");
    CHECK(to_string(reason::not_ready) == "not_ready");
    CHECK(to_string(reason::unknown) == "unknown");
    CHECK(to_string(reason::augmented) == "augmented");
    CHECK(to_string(reason::learning) == "learning");
    CHECK(to_string(reason::status_path) == "status_path");
}

} // namespace decide_test
