#include "rules/hidden_path.hpp"
#include "sidecar/rules.hpp"

#include <doctest/doctest.h>

#include <initializer_list>
#include <string>

namespace hidden_path_test {

using sidecar::hidden_path;

const hidden_path status("/internal/consistency");

TEST_CASE("the status path is covered in any spelling that a router might take for it") {
    for (const auto* path : {
             "/internal/consistency",
             "/internal/consistency/",
             "//internal///consistency//",
             "/internal/consistency.json",
             "/internal/consistency.JSON/",
             "/internal/consistency.tar.gz",
             "/internal/consistency.",
             "/internal/consistency%2ejson",
             "/internal/consistency.a%2fb",
             "/internal/consistency.a%2f..%2f..",
             "/INTERNAL/Consistency",
             "/%69nternal/consistenc%79",
             "/%49nternal/consistency",
             "/%2569nternal/consistency",
             "/%252569nternal/consistency",
             "/internal%2fconsistency",
             "/internal%2Fconsistency",
             "/internal%252Fconsistency",
             "/internal%5cconsistency",
             "/internal\\consistency",
             "%2finternal/consistency",
             "/internal;v=1/consistency;x=y",
             "/internal/consistency%3bx",
             "/internal/consistency.json;x",
             "/./internal/./consistency/.",
             "/%2e/internal/consistency",
             "/x/../internal/consistency",
             "/x/%2e%2E/internal/consistency",
             "/x/..;a=b/internal/consistency",
             "/../internal/consistency",
             "/internal/x/y/../../consistency",
             "/internal/consistency/x/..",
             "/api/v1/..%2f..%2finternal/consistency",
             "/internal/consistency%0a",
             "/internal/consistency%00",
             "/internal%20/consistency%09",
             "/;x/internal/consistency",
         })
        CHECK_MESSAGE(status.covers(path), path);
}

TEST_CASE("other paths are not covered") {
    for (const auto* path : {"/",
                             "",
                             "/internal",
                             "/internal/",
                             "/consistency",
                             "/internal/consistency/x",
                             "/x/internal/consistency",
                             "/internal/consistencies",
                             "/internal/consistenc",
                             "/internal/consistency-x",
                             "/internal.json/consistency",
                             "/internal/consistency/..",
                             "/internal/../consistency",
                             "/internal/consistency/../../x/consistency",
                             "/internalconsistency",
                             "/internal/x;/consistency",
                             "/internal/%",
                             "/internal/consistency%",
                             "/internal/consistency%zz",
                             "/internal/consistency%25",
                             "/internal/.consistency",
                             "/api/v1/projects/ca29f7df-33ca-46dd-a015-92c46fdb6fd1",
                             "/...",
                             "/.."})
        CHECK_MESSAGE(!status.covers(path), path);
}

TEST_CASE("a status path with a suffix is covered with and without it") {
    const hidden_path path("/status.json");
    for (const auto* sent : {"/status.json", "/status", "/Status.xml", "/status%2ejson"})
        CHECK_MESSAGE(path.covers(sent), sent);
    CHECK_FALSE(path.covers("/stat"));
}

TEST_CASE("a status path that is encoded itself is covered") {
    const hidden_path path("/a%20b/%63/");
    CHECK(path.covers("/a%20b/c"));
    CHECK(path.covers("/A%20b//%63"));
}

TEST_CASE("a dot in front begins no suffix") {
    const hidden_path path("/.well-known/.status");
    CHECK(path.covers("/.well-known/.status"));
    CHECK(path.covers("/.well-known/.status.json"));
    CHECK_FALSE(path.covers("/.well-known"));
    CHECK_FALSE(path.covers("/.well-known/x"));
    CHECK_FALSE(path.covers("/.well-known/.other"));
}

TEST_CASE("the status endpoint at the root is covered, and nothing else then") {
    const hidden_path root("/");
    CHECK(root.covers("/"));
    CHECK(root.covers("//"));
    CHECK(root.covers("/."));
    CHECK_FALSE(root.covers("/a"));
}

TEST_CASE("an encoded slash in the status path itself belongs to its part") {
    const sidecar::hidden_path path("/a%2Fb");
    CHECK(path.covers("/a%2Fb"));
    CHECK(path.covers("/a%2fb.json"));
    CHECK_FALSE(path.covers("/a/b"));
}

TEST_CASE("parts that are longer than what is compared are others") {
    const sidecar::hidden_path path("/a/bc");
    for (const auto* other :
         {"/ab/bc", "/a/bcd", "/a/bcd.x", "/a/b", "/a.x/bc", "/a/x/..y/bc", "/x/.../a/bc", "/a/b/c"})
        CHECK_FALSE(path.covers(other));
    for (const auto* same : {"/a/bc.d.e", "/./a/bc", "/x/../a/bc", "/x/y/../../a/./bc", "/../a/bc", "/a;p=q/bc;%2Fx"})
        CHECK(path.covers(same));
}

TEST_CASE("the status path is refused whatever the method and the query") {
    const sidecar::rule_table table(sidecar::rules_config{}, "/internal/consistency");
    for (const std::string_view method : {"GET", "HEAD", "POST", "OPTIONS", "get", "X"}) {
        for (const std::string_view target :
             {"/internal/consistency", "/internal/consistency?info", "//Internal/consistency.x#y"}) {
            const auto made = table.decide({method, target, {}}, {}, {});
            CHECK(made.reason == sidecar::reason::status_path);
            REQUIRE(std::holds_alternative<sidecar::local_reply>(made.action));
            const auto& reply = std::get<sidecar::local_reply>(made.action);
            CHECK(reply.status == 404);
            CHECK(reply.code == "not_provided");
            CHECK_FALSE(reply.retry_after);
        }
    }
    CHECK(table.decide({"GET", "/x?/internal/consistency", {}}, {}, {}).reason == sidecar::reason::no_rule);
}

TEST_CASE("a status path that is exposed, or lies elsewhere, is forwarded") {
    const sidecar::rule_table table{sidecar::rules_config{}};
    CHECK(table.decide({"GET", "/internal/consistency", {}}, {}, {}).reason == sidecar::reason::no_rule);
}

} // namespace hidden_path_test
