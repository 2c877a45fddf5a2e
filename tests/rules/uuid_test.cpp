#include "sidecar/uuid.hpp"

#include <doctest/doctest.h>

#include <string>

namespace uuid_test {

using sidecar::parse_uuid;
using sidecar::uuid;

const std::string text = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";

TEST_CASE("a UUID is read and written back") {
    const auto id = parse_uuid(text);
    REQUIRE(id);
    CHECK(*id == uuid{0xca29f7df33ca46dd, 0xa01592c46fdb6fd1});
    CHECK(to_string(*id) == text);
}

TEST_CASE("the case of a UUID's digits makes no difference") {
    CHECK(parse_uuid("CA29F7DF-33ca-46DD-a015-92C46fdb6FD1") == parse_uuid(text));
}

TEST_CASE("the version of a UUID makes no difference") {
    CHECK(to_string(*parse_uuid("00000000-0000-0000-0000-000000000000")) == "00000000-0000-0000-0000-000000000000");
    CHECK(to_string(*parse_uuid("ffffffff-ffff-ffff-ffff-ffffffffffff")) == "ffffffff-ffff-ffff-ffff-ffffffffffff");
}

TEST_CASE("other forms are no UUID") {
    CHECK_FALSE(parse_uuid(""));
    CHECK_FALSE(parse_uuid("ca29f7df33ca46dda01592c46fdb6fd1"));
    CHECK_FALSE(parse_uuid("{" + text + "}"));
    CHECK_FALSE(parse_uuid("urn:uuid:" + text));
    CHECK_FALSE(parse_uuid(text + " "));
    CHECK_FALSE(parse_uuid("ca29f7d-f33ca-46dd-a015-92c46fdb6fd1"));
}

TEST_CASE("any other byte at any place makes it no UUID") {
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (int byte = 0; byte < 256; ++byte) {
            auto changed = text;
            changed[at] = static_cast<char>(byte);
            const bool is_place_of_hyphen = text[at] == '-';
            const bool is_digit = std::string("0123456789abcdefABCDEF").find(changed[at]) != std::string::npos;
            CHECK(parse_uuid(changed).has_value() == (is_place_of_hyphen ? byte == '-' : is_digit));
        }
    }
}

} // namespace uuid_test
