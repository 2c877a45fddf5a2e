#include "rules/target.hpp"

#include <doctest/doctest.h>

#include <string>

namespace target_test {

using namespace sidecar;

bool has_info(std::string_view sent) { return target(sent).has_flag("info"); }

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";

TEST_CASE("a target is a path and a query") {
    CHECK(target("/a/b?c?d").path() == "/a/b");
    CHECK(target("/a/b?c?d").query() == "c?d");
    CHECK(target("/a").query().empty());
    CHECK(target("/a?").query().empty());
    CHECK(target("/a#b?c").path() == "/a");
    CHECK(target("/a#b?c").query().empty());
    CHECK(target("/a?b#c").query() == "b");
}

TEST_CASE("a flag is there with and without a value, wherever it stands") {
    for (const auto* sent : {"/?info", "/?info=", "/?info=anything", "/?a&info", "/?a=1&info=2&b", "/?a;info",
                             "/?;info;", "/?&&info", "/?info&info", "/?%7B%7D&info", "/?a=b=c&info"})
        CHECK_MESSAGE(has_info(sent), sent);
}

TEST_CASE("a flag's name may be percent-encoded") {
    for (const auto* sent : {"/?%69nfo", "/?%69%6E%66%6f", "/?in%66o=x"}) CHECK_MESSAGE(has_info(sent), sent);
    CHECK(target("/?a+b").has_flag("a b"));
    CHECK(target("/?a%20b").has_flag("a b"));
}

TEST_CASE("another name is not the flag") {
    for (const auto* sent :
         {"/",        "/?",        "/?information", "/?inf",        "/?INFO",     "/?Info",     "/?xinfo",
          "/?x=info", "/?=info",   "/?info[]",      "/?info%5B%5D", "/?[info]",   "/?info.",    "/?info+",
          "/?+info",  "/?info%00", "/?info%3d",     "/?a%26info",   "/?a%3Binfo", "/?%2569nfo", "/??info",
          "/?info?",  "/?a,info",  "/info",         "/#?info",      "/?x#&info"})
        CHECK_MESSAGE(!has_info(sent), sent);
}

TEST_CASE("bad percent-encoding elsewhere hides no flag") {
    CHECK(has_info("/?x=%zz&info"));
    CHECK(has_info("/?%&info"));
    CHECK(has_info("/?info=%"));
    CHECK_FALSE(has_info("/?info%"));
    CHECK_FALSE(has_info("/?info%6"));
}

TEST_CASE("a path's parts are what stands between slashes, however many these are") {
    path_parts parts("//api///v1/x//");
    CHECK(parts.next() == "api");
    CHECK(parts.next() == "v1");
    CHECK(parts.next() == "x");
    CHECK(parts.next().empty());
    CHECK(parts.next().empty());
}

TEST_CASE("a word may be percent-encoded, but not in another case") {
    CHECK(spells("files", "files", suffix::none));
    CHECK(spells("%66iles", "files", suffix::none));
    CHECK(spells("fi%6Ce%73", "files", suffix::none));
    CHECK_FALSE(spells("%46iles", "files", suffix::none));
    CHECK_FALSE(spells("Files", "files", suffix::none));
    CHECK_FALSE(spells("file", "files", suffix::none));
    CHECK_FALSE(spells("filess", "files", suffix::none));
    CHECK_FALSE(spells("files%", "files", suffix::none));
    CHECK_FALSE(spells("%2566iles", "files", suffix::none));
    CHECK_FALSE(spells("", "files", suffix::none));
}

TEST_CASE("one suffix is allowed behind the last word") {
    for (const auto* part :
         {"url.json", "url.JSON", "url.x", "url%2ejson", "url%2Ejson", "url.a;b", "url.%", "url.a%2fb", "%75rl.json"}) {
        CHECK_MESSAGE(spells(part, "url", suffix::allowed), part);
        CHECK_MESSAGE(!spells(part, "url", suffix::none), part);
    }
    for (const auto* part :
         {"url.", "url%2e", "url..", "url..json", "url.a.b", "url%2ea.b", "url;x", "url;x.json", "urljson"})
        CHECK_MESSAGE(!spells(part, "url", suffix::allowed), part);
}

TEST_CASE("the router takes a second dot into the suffix if that one is encoded") {
    CHECK(spells("url.a%2eb", "url", suffix::allowed));
    CHECK(spells("url%2ea%2eb", "url", suffix::allowed));
    CHECK(spells("url%2e%2e", "url", suffix::allowed));
}

TEST_CASE("an id ends where its suffix begins") {
    CHECK(id_within("x", suffix::allowed) == "x");
    CHECK(id_within("x.json", suffix::allowed) == "x");
    CHECK(id_within("x%2ejson", suffix::allowed) == "x");
    CHECK(id_within("x.a%2eb", suffix::allowed) == "x");
    CHECK(id_within("x%2ea.b", suffix::allowed) == "x%2ea");
    CHECK(id_within("x%2ea%2Eb", suffix::allowed) == "x%2ea");
    CHECK(id_within("x%2e", suffix::allowed) == "x%2e");
    CHECK(id_within("x%2e%zz", suffix::allowed) == "x");
    CHECK(id_within("x.", suffix::allowed).empty());
    CHECK(id_within("x.a.b", suffix::allowed).empty());
    CHECK(id_within(".json", suffix::allowed).empty());
    CHECK(id_within("%2ejson", suffix::allowed).empty());
}

TEST_CASE("an id with words behind it has no suffix") {
    CHECK(id_within("x%2ejson", suffix::none) == "x%2ejson");
    CHECK(id_within("x.json", suffix::none).empty());
}

TEST_CASE("an id's characters may be percent-encoded, once") {
    CHECK(parse_encoded_uuid(id) == parse_uuid(id));
    CHECK(parse_encoded_uuid("%63a29f7df%2D33ca-46dd-a015-92c46fdb6fd1") == parse_uuid(id));
    std::string all;
    for (const char c : id) all.append("%").append(1, "0123456789abcdef"[c >> 4]).append(1, "0123456789ABCDEF"[c & 15]);
    CHECK(parse_encoded_uuid(all) == parse_uuid(id));
    CHECK_FALSE(parse_encoded_uuid("%2563a29f7df-33ca-46dd-a015-92c46fdb6fd1"));
    CHECK_FALSE(parse_encoded_uuid(id + "%00"));
    CHECK_FALSE(parse_encoded_uuid("%20" + id));
    CHECK_FALSE(parse_encoded_uuid(id + id));
    CHECK_FALSE(parse_encoded_uuid(all + "%"));
}

} // namespace target_test
