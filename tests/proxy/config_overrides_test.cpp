// What comes over the file: variables of the environment, --set, what is right in a file that is wrong.
#include "tests/proxy/config_reading.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace config_overrides_test {

using namespace sidecar;
using namespace config_reading;

TEST_CASE("variables of the environment stand in values") {
    const auto with = [](std::string_view text) {
        return read_config(text, "f", {{}, {{"PORT", "8081"}, {"EMPTY", ""}, {"AGE", "x"}, {"TRICK", "${PORT}"}}});
    };
    const auto values = [&with](std::string_view text) {
        const auto got = with(text);
        REQUIRE_MESSAGE(got.has_value(), got.error().message);
        return *got;
    };
    const auto fault = [&with](std::string_view text) {
        const auto got = with(text);
        REQUIRE_FALSE(got.has_value());
        return got.error().message;
    };
    CHECK(values("listen: {address: '0.0.0.0:${PORT}'}").listen.address.port == 8081);
    CHECK(values("listen: {address: \"0.0.0.0:${PORT:-1}\"}").listen.address.port == 8081);
    CHECK(values("listen: {address: '0.0.0.0:${NONE:-82}'}").listen.address.port == 82);
    CHECK(values("workers: ${NONE:-3}").workers == 3);
    CHECK(values("{workers: '${NONE:-3}'}").workers == 3); // the quotes are YAML's need
    CHECK(values("status: {ca_file: '${NONE:-}'}").status.ca_file.empty());
    CHECK(values("status: {ca_file: '/a${EMPTY}b'}").status.ca_file == "/ab");
    CHECK(values("status: {ca_file: '/a${EMPTY:-c}b'}").status.ca_file == "/acb");
    CHECK(values("status: {ca_file: '/$${PORT}$PORT$'}").status.ca_file == "/${PORT}$PORT$");
    CHECK(values("status: {ca_file: '/${TRICK}'}").status.ca_file == "/${PORT}"); // once
    CHECK(values("own_answers: {headers: [{name: X-A, value: '${PORT}'}]}").own_answers.headers[0].value == "8081");
    CHECK(fault("workers: ${NONE}") == "f:1:10: the environment has no variable NONE; ${NONE:-text} would do without");
    CHECK(fault("workers: ${AGE}") == "f:1:10: workers: expected a number from 1 to 1024, or auto, not 'x'");
    CHECK(fault("status: {ca_file: '/${PORT'}") == "f:1:19: '${' without its '}'; '$${' stands for '${' itself");
    for (const std::string bad : {"", "1A", "A-B", "PORT:", "PORT:?", "PORT-1", "A B"})
        CHECK_MESSAGE(fault("status: {ca_file: '${" + bad + "}'}") ==
                          "f:1:19: expected ${NAME} or ${NAME:-text}, not '${" + bad + "}'",
                      bad);
    CHECK(fault("'${PORT}': 1").find("unknown key") != std::string::npos); // keys are words
    const auto big = read_config("status: {ca_file: '${A}${A}'}", "f", {{}, {{"A", std::string(40 * kib, 'a')}}});
    CHECK(big.error().message == "f:1:19: is longer than 64 KiB once its variables are put in");
}

TEST_CASE("--set comes over the file, with the same checks") {
    CHECK(set({"upstream.address=10.0.0.1:80"}).upstream.address == endpoint{"10.0.0.1", 80});
    CHECK(set({"listen.address=[::]:80"}, "listen: {address: 127.0.0.1:1, backlog: 7}").listen.address ==
          endpoint{"::", 80});
    CHECK(set({"listen.address=[::]:80"}, "listen: {address: 127.0.0.1:1, backlog: 7}").listen.backlog == 7);
    CHECK(set({"workers=1", "workers=2"}, "workers: 3").workers == 2);
    CHECK(set({"own_answers.cors.allow_origins=[\"https://a\", 'https://b']"}).own_answers.cors_allow_origins.size() ==
          2);
    CHECK(set({"status.ca_file=/a: b # c"}).status.ca_file == "/a: b # c");
    CHECK(set({"api.prefix="}).rules.prefix.empty());
    CHECK(set({"drain={accept_for: 1s}"}, "drain: {timeout: 2s}").drain.timeout == config{}.drain.timeout); // whole
    CHECK(
        set({"rules=[{name: a, method: GET, path: '/a/{id}', gate: {collection: c, member: m}}]"}).rules.rules.size() ==
        7);
    CHECK(set({"drain.timeout=1s"}, "drain:").drain.timeout == milliseconds(1'000));
    const auto got = read_config("{}", "f", {{"listen.address=0.0.0.0:${PORT}"}, {{"PORT", "81"}}});
    REQUIRE(got.has_value());
    CHECK(got->listen.address.port == 81);

    CHECK(set_complaints({"upstream.adress=a:1"}) ==
          "--set upstream.adress: unknown key 'adress', did you mean 'address'?");
    CHECK(set_complaints({"workers=0"}) == "--set workers: expected a number from 1 to 1024, or auto, not '0'");
    CHECK(set_complaints({"workers"}) ==
          "--set workers: expected KEY=VALUE, such as upstream.address=127.0.0.1:3000 (a list is set whole)");
    for (const auto* bad : {"", "=1", ".a=1", "a.=1", "a..b=1", "rules[0].name=a", "Workers=1"})
        CHECK_MESSAGE(set_complaints({bad}).find("expected KEY=VALUE") != std::string::npos, bad);
    CHECK(set_complaints({"workers=1", "drain.timeout=5"}, "workers: x\nlog: {level: loud}") ==
          "f:2:14: log.level: expected debug or info or warn or error, not 'loud'\n"
          "--set drain.timeout: '5' needs a unit: ms, s, m or h"); // the file's first
    CHECK(set_complaints({"status.headers=[{name: A, value: \"s3cret\\n\"}]"}).find("s3cret") == std::string::npos);
    CHECK(set_complaints({"drain.timeout=[", "workers=1"}).find("--set drain.timeout: ") == 0);
    std::vector<std::string> told;
    REQUIRE(read_config("{}", "f", {{"log.access=true"}, {}}, &told).has_value());
    CHECK(told == std::vector<std::string>{"--set log.access: 'true' is deprecated, write all"});
}

TEST_CASE("of a file that is wrong, what is right can be had all the same; what the options say, in any case") {
    const auto file = std::filesystem::temp_directory_path() / ("sidecar-config-" + std::to_string(::getpid()));
    const auto admin_port = [&file](const std::string& text, const overrides& over = {}) {
        std::ofstream(file) << text;
        const auto read = load_what_is_right(file, over);
        REQUIRE(read.has_value());
        return read->admin.address->port;
    };
    CHECK(admin_port("admin: {address: 127.0.0.1:9}\nupstream: {adress: here}\n") == 9);
    CHECK(admin_port("admin: {address: here}\n") == 9090);
    CHECK(admin_port("admin: {address: 127.0.0.1:9\n") == 9090); // no YAML
    CHECK(admin_port("") == 9090);
    const overrides over{{"admin.address=127.0.0.1:8"}, {}};
    CHECK(admin_port("admin: {address: 127.0.0.1:9}\nnonsense: 1\n", over) == 8);
    CHECK(admin_port("admin: {address: 127.0.0.1:9\n", over) == 8);
    std::filesystem::remove(file);
    CHECK(load_what_is_right(file, over)->admin.address->port == 8);
    CHECK(load_what_is_right(file, {{"admin.adress=here"}, {}}).error().message ==
          "--set admin.adress: unknown key 'adress', did you mean 'address'?");
}

} // namespace config_overrides_test
