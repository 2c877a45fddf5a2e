#include "proxy/config/config_reference.hpp"
#include "proxy/config/load_config.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace config_test {

using namespace sidecar;

// What is wrong with a text, without the file's name; empty: nothing.
std::string complaints(std::string_view text) {
    const auto read = read_config(text, "f");
    if (read) return "";
    std::string all;
    std::istringstream lines(read.error().message);
    for (std::string line; std::getline(lines, line);) {
        REQUIRE(line.starts_with("f:"));
        all.append(all.empty() ? "" : "\n").append(line.substr(2));
    }
    return all;
}

config read(std::string_view text) {
    auto got = read_config(text, "f");
    REQUIRE_MESSAGE(got.has_value(), got.error().message);
    return *got;
}

std::string shipped_file() { return SIDECAR_SHIPPED_FILE; } // named by CMake: ccache makes __FILE__ relative

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::filesystem::path source(const char* name) { return std::filesystem::path(shipped_file()).parent_path() / name; }

std::vector<std::string> warnings(std::string_view text) {
    std::vector<std::string> all;
    const auto got = read_config(text, "f", {}, &all);
    REQUIRE_MESSAGE(got.has_value(), got.error().message);
    return all;
}

// What is wrong with options over a file; empty: nothing.
std::string set_complaints(std::vector<std::string> options, std::string_view text = "{}") {
    const auto got = read_config(text, "f", {std::move(options), {}});
    return got ? "" : got.error().message;
}

config set(std::vector<std::string> options, std::string_view text = "{}") {
    auto got = read_config(text, "f", {std::move(options), {}});
    REQUIRE_MESSAGE(got.has_value(), got.error().message);
    return *got;
}

std::string one_rule(std::string_view method, std::string_view path, std::string_view action) {
    return "rules: [{name: a, method: " + std::string(method) + ", path: \"" + std::string(path) + "\", " +
           std::string(action) + "}]";
}

constexpr std::string_view gate = "gate: {collection: c, member: m}";
constexpr std::string_view augment = "augment: {collection: c, members: [m]}";

TEST_CASE("the shipped file is right, and holds every key with its built-in default") {
    const auto shipped = load_config(shipped_file());
    REQUIRE_MESSAGE(shipped.has_value(), shipped.error().message);
    CHECK(print_config(*shipped) == print_config(config{}));
    CHECK(doubts_about(*shipped).empty());
    const auto text = contents(shipped_file());
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) CHECK_MESSAGE(line.size() <= 120, line);
}

TEST_CASE("the shipped file shows the built-in rules as they are") {
    const auto text = contents(shipped_file());
    const auto at = text.find("# rules:\n");
    REQUIRE(at != std::string::npos);
    std::string shown = "builtin_rules: false\n";
    std::istringstream lines(text.substr(at));
    for (std::string line; std::getline(lines, line) && line.starts_with("# ");) shown += line.substr(2) + "\n";
    CHECK(print_rules(read(shown).rules.rules) == print_rules(dds_rules()));
}

// To make them anew: sidecar --print-defaults, --print-schema, --print-reference
TEST_CASE("shipped file, schema and reference are what the list of keys makes") {
    CHECK(contents(shipped_file()) == config_file());
    CHECK(contents(source("sidecar.schema.json")) == config_schema());
    CHECK(contents(source("docs/configuration.md")) == config_reference());
}

TEST_CASE("a map without keys is all defaults, an empty file is an error") {
    CHECK(print_config(read("{}")) == print_config(config{}));
    CHECK(complaints("") == "1:1: the file is empty; {} would mean: all defaults");
    CHECK(complaints("# nothing\n") == "1:1: the file is empty; {} would mean: all defaults");
    CHECK(complaints("---\n...\n") == "1:1: the file is empty; {} would mean: all defaults");
}

TEST_CASE("every kind of value is read") {
    const auto c = read(R"(
listen: {address: "[::]:80", socket_mode: "0600"}
workers: 3
upstream: {address: backend.example:3000, connect_timeout: 250ms, unreachable: close, no_answer: answer,
           reuse_for_writes: 0s, max_pending: 5, queue_timeout: 3s}
status:
  url: https://status.example/consistency
  jitter: 0.25
  wait: 0s
  max_document: 1GiB
  unlisted: unknown
  expose: true
  headers:
    - {name: Authorization, file: /run/secrets/token}
    - {name: X-Forwarded-Proto, value: https}
api: {prefix: ""}
rules:
  - {name: r, method: DELETE, path: "/a/{id}", query: q, gate: {collection: c, member: m, require: [], unknown: reject}}
builtin_rules: false
augment: {max_body: 512B, max_held: 2KiB}
learn: {max_entries: 7}
own_answers: {retry_after: 2m, cors: {allow_origins: ["https://portal.example"], expose_headers: [X-Total]}, headers: [{name: X-A, value: b c}]}
downstream: {max_connections: 100, tunnel_timeout: 2h}
forward: {x_forwarded_proto: https, x_request_id: true, x_request_start: true}
admin: {address: off, hosts: [sidecar.example]}
log: {level: debug, access: errors, slower_than: 2s, buffer: 64KiB}
)");
    CHECK(c.listen.address == endpoint{"::", 80});
    CHECK(c.listen.socket_mode == 0600);
    CHECK(c.workers == 3);
    CHECK(c.upstream.address == endpoint{"backend.example", 3000});
    CHECK(c.upstream.connect_timeout == milliseconds(250));
    CHECK(c.upstream.unreachable == on_failure::close);
    CHECK(c.upstream.no_answer == on_failure::answer);
    CHECK(c.upstream.reuse_for_writes == milliseconds(0));
    CHECK(c.upstream.pending_max == 5);
    CHECK(c.upstream.queue_timeout == milliseconds(3'000));
    CHECK(c.status.url == "https://status.example/consistency");
    CHECK(c.status.jitter == 0.25);
    CHECK(c.status.wait == milliseconds(0));
    CHECK(c.status.document_bytes_max == 1024 * mib);
    CHECK(c.status.unlisted_means == unlisted::unknown);
    CHECK(c.status.expose);
    REQUIRE(c.status.headers.size() == 2);
    CHECK(c.status.headers[0].file == "/run/secrets/token");
    CHECK(c.status.headers[1].value == "https");
    CHECK(c.rules.prefix.empty());
    REQUIRE(c.rules.rules.size() == 1);
    CHECK(c.rules.rules[0].query == "q");
    const auto& gated = std::get<gate_rule>(c.rules.rules[0].action);
    CHECK(gated.require.empty());
    CHECK(gated.unknown == unknown_gate::reject);
    CHECK_FALSE(c.rules.builtin_rules);
    CHECK(c.rules.augment_body_max == 512);
    CHECK(c.rules.augment_held_max == 2'048);
    CHECK(c.rules.learn_entries_max == 7);
    CHECK(c.own_answers.retry_after == std::chrono::seconds(120));
    CHECK(c.own_answers.cors_allow_origins == std::vector<std::string>{"https://portal.example"});
    REQUIRE(c.own_answers.headers.size() == 1);
    CHECK(c.own_answers.headers[0].value == "b c");
    CHECK(c.downstream.connections_max == 100);
    CHECK(c.downstream.tunnel_timeout == std::chrono::hours(2));
    CHECK(c.forward.x_request_id);
    CHECK(c.forward.x_request_start);
    CHECK_FALSE(c.admin.address);
    CHECK(c.admin.hosts == std::vector<std::string>{"sidecar.example"});
    CHECK(c.log.level == log_level::debug);
    CHECK(c.log.access == access_log::errors);
    CHECK(c.log.slower_than == milliseconds(2'000));
    CHECK(c.log.buffer_bytes == 64 * kib);
}

TEST_CASE("a list replaces the default, an absent one is the default") {
    CHECK(read("own_answers: {cors: {allow_origins: []}}").own_answers.cors_allow_origins.empty());
    CHECK(read("own_answers: {cors: {}}").own_answers.cors_allow_origins == std::vector<std::string>{"*"});
}

TEST_CASE("the file's rules come before the built-in ones; one with such a name replaces it") {
    const auto names = [](std::string_view text) {
        std::vector<std::string> all;
        for (const auto& each : read(text).rules.rules) all.push_back(each.name);
        return all;
    };
    const std::string own = "{name: a, method: GET, path: '/a/{id}', gate: {collection: c, member: m}}";
    const std::string replacing =
        "{name: upload_gate, method: POST, path: '/b/{id}', gate: {collection: c, member: m}}";
    const std::vector<std::string> builtin{"project_info", "file_url_info", "upload_gate",
                                           "new_project",  "new_file",      "new_file_version"};
    CHECK(names("{}") == builtin);
    CHECK(names("rules: []") == builtin);
    CHECK(names("rules: [" + own + "]") == std::vector<std::string>{"a", "project_info", "file_url_info", "upload_gate",
                                                                    "new_project", "new_file", "new_file_version"});
    CHECK(names("rules: [" + replacing + "]") == std::vector<std::string>{"upload_gate", "project_info",
                                                                          "file_url_info", "new_project", "new_file",
                                                                          "new_file_version"});
    CHECK(read("rules: [" + replacing + "]").rules.rules.front().path == "/b/{id}");
    CHECK(names("builtin_rules: false").empty());
    CHECK(names("builtin_rules: false\nrules: [" + own + "]") == std::vector<std::string>{"a"});
}

TEST_CASE("what is deprecated is taken, with a warning") {
    CHECK(warnings("max_pipes: 128") ==
          std::vector<std::string>{"f:1:12: max_pipes: is deprecated and does nothing: bodies are no longer spliced"});
    CHECK(warnings("log: {access: true}") ==
          std::vector<std::string>{"f:1:15: log.access: 'true' is deprecated, write all"});
    CHECK(warnings("log: {access: false}") ==
          std::vector<std::string>{"f:1:15: log.access: 'false' is deprecated, write off"});
    CHECK(read("log: {access: true}").log.access == access_log::all);
    CHECK(read("log: {access: false}").log.access == access_log::off);
    CHECK(warnings("log: {access: errors}").empty());
    CHECK(warnings("downstream: {max_drain: 1KiB}") ==
          std::vector<std::string>{"f:1:25: downstream.max_drain: is deprecated, write max_discard"});
    CHECK(read("downstream: {max_drain: 1KiB}").downstream.drain_bytes_max == kib);
    CHECK(complaints("downstream: {max_drain: 1KiB, max_discard: 1KiB}") ==
          "1:25: downstream.max_drain: is what max_discard was called: write that alone");
    CHECK(complaints("downstream: {max_drain: 1}") ==
          "1:25: downstream.max_discard: '1' needs a unit: B, KiB, MiB or GiB");
    CHECK(complaints("max_pipe: 1").find("max_pipes") == std::string::npos); // nobody is led to it
}

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

TEST_CASE("what is doubtful in a file that is right is told on request") {
    CHECK(doubts_about(config{}).empty());
    const std::string wide =
        "rules: [{name: wide, method: GET, path: '/projects/{id}', gate: {collection: c, member: m}}]";
    CHECK(doubts_about(read(wide)) ==
          std::vector<std::string>{
              "rule 'project_info' is hidden by 'wide', which stands before it and selects all of its requests"});
    CHECK(
        doubts_about(read("status: {ca_file: /nonexistent/ca.pem, headers: [{name: A, file: /nonexistent/token}]}")) ==
        std::vector<std::string>{"status.ca_file: /nonexistent/ca.pem: No such file or directory",
                                 "status.headers[0].file: /nonexistent/token: No such file or directory"});
    CHECK(doubts_about(read("status: {ca_file: /dev/null, headers: [{name: A, value: b}]}")).empty());
}

TEST_CASE("unknown keys are errors, with the nearest name") {
    CHECK(complaints("status:\n  timeot: 5s") == "2:3: unknown key 'timeot', did you mean 'timeout'?");
    CHECK(complaints("lisetn: {}") == "1:1: unknown key 'lisetn', did you mean 'listen'?");
    CHECK(complaints("drain: {tiemout: 5s}") == "1:9: unknown key 'tiemout', did you mean 'timeout'?");
    CHECK(complaints("drain: {colour: blue}") == "1:9: unknown key 'colour', here are known: accept_for, timeout");
    CHECK(complaints(one_rule("POST", "/a/{id}", "gate: {collection: c, member: m, requires: [x]}")) ==
          "1:83: unknown key 'requires', did you mean 'require'?");
    CHECK(complaints("\"a\\u001b[31m\": 1").starts_with("1:1: unknown key 'a?[31m'"));
}

TEST_CASE("duplicate keys are errors, at every depth") {
    CHECK(complaints("workers: 1\nworkers: 2") == "2:1: duplicate key 'workers', first in line 1");
    CHECK(complaints("drain:\n  timeout: 1s\n  timeout: 1s") == "3:3: duplicate key 'timeout', first in line 2");
}

TEST_CASE("all errors are told at once, in the file's order") {
    CHECK(complaints("workers: 0\nlog: {level: loud, acess: true}\nlisten: here\n") ==
          "1:10: workers: expected a number from 1 to 1024, or auto, not '0'\n"
          "2:14: log.level: expected debug or info or warn or error, not 'loud'\n"
          "2:20: unknown key 'acess', did you mean 'access'?\n"
          "3:9: listen: expected keys with values, not a single value");
    std::string many;
    for (int i = 0; i < 100; ++i) many += "k" + std::to_string(i) + ": 1\n";
    const auto told = complaints(many);
    CHECK(std::count(told.begin(), told.end(), '\n') == 50);
    CHECK(told.ends_with("and 50 more"));
}

TEST_CASE("a duration needs a unit") {
    CHECK(complaints("drain: {timeout: 25}") == "1:18: drain.timeout: '25' needs a unit: ms, s, m or h");
    for (const auto* text : {"25 s", "2.5s", "-1s", "1d", "s", "99999999999999999999s", "99999999999h"})
        CHECK(complaints("drain: {timeout: " + std::string(text) + "}").find("expected a duration") !=
              std::string::npos);
    CHECK(complaints("drain: {timeout: 1000h}") == "1:18: drain.timeout: must be from 0s to 720h, not '1000h'");
    CHECK(complaints("own_answers: {retry_after: 1500ms}") ==
          "1:28: own_answers.retry_after: must be a multiple of 1s, not '1500ms'");
}

TEST_CASE("a size needs a unit") {
    CHECK(complaints("log: {buffer: 65536}") == "1:15: log.buffer: '65536' needs a unit: B, KiB, MiB or GiB");
    CHECK(complaints("log: {buffer: 64KB}") ==
          "1:15: log.buffer: expected a size such as 512B, 64KiB or 1MiB, not '64KB', did you mean '64KiB'?");
    for (const auto* text : {"64K", "64k", "64kb", "64Ki", "64kib", "64KIB"})
        CHECK_MESSAGE(complaints("log: {buffer: " + std::string(text) + "}").ends_with(", did you mean '64KiB'?"),
                      text);
    CHECK(complaints("augment: {max_body: 1MB}").ends_with("not '1MB', did you mean '1MiB'?"));
    for (const auto* text : {"64T", "KiB", "64Kilo", "64X"})
        CHECK_MESSAGE(complaints("log: {buffer: " + std::string(text) + "}").find("did you mean") == std::string::npos,
                      text);
    CHECK(complaints("log: {buffer: 1B}") == "1:15: log.buffer: must be from 4KiB to 1GiB, not '1B'");
    CHECK(complaints("log: {buffer: 99999999999999999GiB}").find("expected a size") != std::string::npos);
}

TEST_CASE("wrong types are errors") {
    CHECK(complaints("workers: \"4\"") == "1:10: workers: expected a number from 1 to 1024, or auto, not the text '4'");
    CHECK(complaints("workers: 4.5").find("expected a number") != std::string::npos);
    CHECK(complaints("workers: [1]") == "1:10: workers: expected a number, or auto, not a list");
    CHECK(complaints("workers:\nlog: {}") == "1:1: workers: expected a number, or auto, not nothing");
    CHECK(complaints("log: {access: yes}") == "1:15: log.access: expected all or errors or off, not 'yes'");
    CHECK(complaints("status: {expose: yes}") == "1:18: status.expose: expected true or false, not 'yes'");
    CHECK(complaints("status: {expose: \"true\"}") ==
          "1:18: status.expose: expected true or false, not the text 'true'");
    CHECK(complaints("status: {headers: {}}") == "1:19: status.headers: expected a list, not a map");
    CHECK(complaints("status: {headers: [a]}") ==
          "1:20: status.headers[0]: expected keys with values, not a single value");
    CHECK(complaints("[listen]") == "1:1: the file: expected keys with values, not a list");
    CHECK(complaints("listen") == "1:1: the file: expected keys with values, not a single value");
    CHECK(complaints("? [a]\n: b") == "1:3: a key must be a word, not a list");
}

TEST_CASE("addresses are HOST:PORT") {
    for (const auto* text : {"8080", ":8080", "0.0.0.0", "0.0.0.0:x", "0.0.0.0:65536", "::1:80", "\"[::1]\"",
                             "300.1.1.1:80", "\"[zz]:80\"", "a b:80", "\"-1:\"", "\"[127.0.0.1]:80\""})
        CHECK_MESSAGE(complaints("listen: {address: " + std::string(text) + "}").find("expected HOST:PORT") !=
                          std::string::npos,
                      text);
    CHECK(read("listen: {address: 127.0.0.1:0}").listen.address.port == 0);
    for (const auto* text : {"127.1:80", "2130706433:80", "0x7f.1:80", "a.0x7f:80"})
        CHECK_MESSAGE(complaints("upstream: {address: '" + std::string(text) + "'}").find("expected HOST:PORT") !=
                          std::string::npos,
                      text);
    CHECK(complaints("upstream: {address: 127.0.0.1:0}") == "1:21: upstream.address: the port can't be 0");
}

TEST_CASE("an address may be a Unix socket's") {
    CHECK(read("upstream: {address: 'unix:/run/dds/puma.sock'}").upstream.address ==
          endpoint{"", 0, "/run/dds/puma.sock"});
    CHECK(read("listen: {address: unix:/run/sidecar.sock}").listen.address == endpoint{"", 0, "/run/sidecar.sock"});
    CHECK(complaints("upstream: {address: unix:puma.sock}") ==
          "1:21: upstream.address: a Unix socket is named by its whole path: unix:/run/dds/puma.sock");
    CHECK(complaints("upstream: {address: 'unix:'}") == "1:21: upstream.address: is empty");
    CHECK(complaints("upstream: {address: unix:/" + std::string(106, 'a') + "}").empty());
    CHECK(complaints("upstream: {address: unix:/" + std::string(107, 'a') + "}") ==
          "1:21: upstream.address: a Unix socket's path is at most 107 bytes long");
    CHECK(complaints("listen: {address: \"unix:/a\\nb\"}") == "1:19: listen.address: holds control bytes");
    CHECK(complaints("admin: {address: unix:/run/admin.sock}").find("expected HOST:PORT") != std::string::npos);
    CHECK(complaints("listen: {address: unix:/a}\nupstream: {address: unix:/a}") ==
          "2:21: upstream.address: unix:/a is where the sidecar itself listens");
    CHECK(complaints("listen: {address: unix:/a}\nupstream: {address: unix:/b}").empty());
}

TEST_CASE("a file's mode is octal") {
    CHECK(read("listen: {socket_mode: '0666'}").listen.socket_mode == 0666);
    CHECK(read("listen: {socket_mode: 600}").listen.socket_mode == 0600);
    for (const auto* text : {"rw", "0888", "1777", "-660", "66", "00660", ""})
        CHECK_MESSAGE(complaints("listen: {socket_mode: '" + std::string(text) + "'}")
                              .find("listen.socket_mode: expected a file mode from 0000 to 0777") != std::string::npos,
                      text);
}

TEST_CASE("a limit that is out of its bounds is refused") {
    CHECK(complaints("upstream: {max_pending: 1000001}").find("from 0 to 1000000") != std::string::npos);
    CHECK(complaints("upstream: {queue_timeout: 0s}").find("must be from 1ms to 720h") != std::string::npos);
    CHECK(complaints("upstream: {reuse_for_writes: 721h}").find("must be from 0s to 720h") != std::string::npos);
    CHECK(complaints("log: {slower_than: 721h}").find("must be from 0s to 720h") != std::string::npos);
    CHECK(complaints("augment: {max_held: 63B}").find("must be from 64B to 64GiB") != std::string::npos);
    CHECK(complaints("augment: {max_held: 512KiB}") ==
          "1:21: augment.max_held: 512KiB must not be less than augment.max_body, which one response may take: 1MiB");
    CHECK(complaints("forward: {x_request_start: 1}").find("expected true or false") != std::string::npos);
    CHECK(complaints("builtin_rules: none").find("expected true or false") != std::string::npos);
    CHECK(complaints("admin: {hosts: ['a:80']}") == "1:17: admin.hosts: 'a:80' is no name of a host (without a port)");
    CHECK(complaints("admin: {hosts: sidecar}").find("expected a list") != std::string::npos);
}

TEST_CASE("a sidecar that would forward to itself, or listen twice, is an error") {
    CHECK(complaints("listen: {address: 0.0.0.0:3000}") ==
          "1:19: upstream.address: 127.0.0.1:3000 is where the sidecar itself listens");
    CHECK(complaints("admin: {address: 127.0.0.1:8080}") ==
          "1:18: admin.address: 127.0.0.1:8080 is taken by listen.address 0.0.0.0:8080");
    CHECK(complaints("listen: {address: 127.0.0.1:0}\nadmin: {address: 127.0.0.1:0}").empty());
}

TEST_CASE("what several keys say together is checked") {
    CHECK(complaints("status: {wait: 25s}") ==
          "1:16: status.max_age: 30s must be more than status.wait + status.timeout, or what is known expires while a "
          "poll is under way: 25s + 5s");
    CHECK(complaints("status: {wait: 24s}").empty());
    CHECK(complaints("status: {interval: 40s, max_backoff: 1m}") ==
          "1:20: status.max_age: 30s must be more than status.interval, 40s");
    CHECK(complaints("status: {max_backoff: 100ms}") ==
          "1:23: status.max_backoff: 100ms must not be less than status.interval, 1s");
    CHECK(complaints("status: {wait: 500ms}") == "1:16: status.wait: must be whole seconds (RFC 7240), not 500ms");
    CHECK(complaints("downstream: {max_target: 128KiB}") ==
          "1:26: downstream.max_target: 128KiB must be less than downstream.max_header, which includes it: 128KiB");
    CHECK(complaints("own_answers: {cors: {allow_origins: ['*', 'https://a']}}") ==
          "1:37: own_answers.cors.allow_origins: '*' allows the others too");
}

TEST_CASE("a key that is wrong by itself is not compared with others") {
    CHECK(complaints("status: {wait: 25s, max_age: 5}") == "1:30: status.max_age: '5' needs a unit: ms, s, m or h");
}

TEST_CASE("the status URL must be one") {
    for (const auto* text :
         {"ftp://a/", "http://", "http://u:p@a/", "http://a/#b", "http://a b/", "http://a:0/", "http://a\"b/",
          "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://127.0.0.01/"})
        CHECK(complaints("status: {url: '" + std::string(text) + "'}").starts_with("1:15: status.url: "));
}

TEST_CASE("header fields that would break the framing are refused") {
    const auto poll = [](std::string_view header) {
        return complaints("status: {headers: [" + std::string(header) + "]}");
    };
    CHECK(poll(R"({name: "X A", value: b})") == "1:27: status.headers[0].name: is no name of a header field");
    CHECK(poll(R"({name: Host, value: b})") ==
          "1:27: status.headers[0].name: is a field that the poll sets itself, or not");
    CHECK(poll(R"({name: X-A, value: "b\r\nEvil: c"})").find("holds a line end") != std::string::npos);
    CHECK(poll(R"({name: X-A, value: " b"})").find("begins or ends with a blank") != std::string::npos);
    CHECK(poll(R"({name: X-A})").find("expected exactly one of value, file") != std::string::npos);
    CHECK(poll(R"({name: X-A, value: b, file: c})").find("expected exactly one of value, file") != std::string::npos);
    CHECK(poll(R"({name: X-A, value: b}, {name: x-a, value: c})") ==
          "1:50: status.headers[1].name: 'x-a' is there twice");
    CHECK(complaints("own_answers: {headers: [{name: Content-Length, value: 1}]}").find("sets itself") !=
          std::string::npos);
}

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

TEST_CASE("a rule that hides a built-in one is printed with it, and read back") {
    const auto c = read("rules: [{name: mine, method: PUT, path: '/files/{id}', gate: {collection: c, member: m}}]");
    CHECK(doubts_about(c).size() == 1);
    CHECK(print_config(read(print_config(c))) == print_config(c));
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

TEST_CASE("one document, no anchors, aliases, merges or tags") {
    CHECK(complaints("workers: 1\n---\nworkers: 2") == "2:1: a second document: there must be one");
    CHECK(complaints("workers: &a 1") == "1:10: an anchor: there are no aliases here that could use it");
    CHECK(complaints("log: &a {access: true}\ndrain: *a").find("2:8: drain: expected keys with values, not an alias") !=
          std::string::npos);
    CHECK(complaints("log: &a {access: true}\ndrain:\n  <<: *a").find("3:3: unknown key '<<'") != std::string::npos);
    CHECK(complaints("workers: !!int 1").find("1:10: a tag") != std::string::npos);
    CHECK(complaints("%YAML 1.2\n---\nworkers: 1\n...\n").empty());
}

TEST_CASE("what is no YAML, no text, too large or too deep says so") {
    CHECK(complaints("a: [b\n") == "2:1: no valid YAML: expected ',' or the ']' of a list that began with '['");
    CHECK(
        complaints("a: b: c") ==
        "1:5: no valid YAML: expected one value behind each key: a text with ': ' in it needs quotes, a key without a "
        "value its ':'");
    CHECK(complaints("listen:\n  address: a:1\n backlog: 3\n") ==
          "3:2: no valid YAML: expected a key, with ':' behind it, in the column of the keys above");
    CHECK(complaints("listen:\n\taddress: a\n").find("expected blanks: tabs don't indent") != std::string::npos);
    CHECK(complaints("listen: {address: a\n").find("expected ',' or the '}' of a map") != std::string::npos);
    CHECK(complaints("log: {level: \"a\\qb\"}").find("expected an escape of YAML's") != std::string::npos);
    CHECK(complaints("log:\n  level: \"a\ndrain: {}\n") ==
          "2:10: no valid YAML: expected the quote that ends the text that begins here");
    CHECK(complaints("log:\n  level: 'it''s\n").find("expected the quote that ends") != std::string::npos);
    CHECK(complaints("log:\n  level: \"a\\\"\n").find("expected the quote that ends") != std::string::npos);
    CHECK(complaints("# é \"\nlog:\n  level: \"info\" # it's\n  access: 'off'\n").empty());
    CHECK(complaints("log: {level: @a}\n").find("expected a value: one that begins with this") != std::string::npos);
    CHECK(complaints(std::string_view("workers: 1\n\0", 12)) == "2:1: a control byte: the file must be text");
    CHECK(complaints("# \xff\n") == "1:3: not UTF-8: the file must be text");
    CHECK(complaints(std::string(2 * mib, ' ')) == "1:1: larger than 1024 KiB");
    std::string brackets(100'000, '['), braces, dashes, questions, items = "a: [";
    for (int i = 0; i < 100'000; ++i) {
        braces += "{a: ";
        dashes += "- ";
        questions += "? ";
        items += "1,";
    }
    for (const auto& deep : {brackets, braces, dashes, questions})
        CHECK(complaints(deep).find("nested too deeply") != std::string::npos);
    CHECK(complaints(items).find("too many values") != std::string::npos);
}

TEST_CASE("what is printed is read back to the same") {
    config c;
    c.listen.address = {"::1", 0};
    c.listen.socket_mode = 07;
    c.upstream.address = {"", 0, "/run/a b #c.sock"};
    c.admin.address.reset();
    c.downstream.connections_max = 17;
    c.downstream.idle_timeout = milliseconds(1'234);
    c.downstream.drain_bytes_max = 1'000;
    c.status.ca_file = "/etc/ssl/a: b #c \"d\" \\e é\u2028.pem";
    c.status.headers = {{"Authorization", "", "on"}, {"X-B", "", "{x}"}};
    c.status.jitter = 0.123456789;
    c.status.socket = "/run/${x}";
    c.rules.prefix = "";
    c.rules.rules[2].action = gate_rule{"projects", "is_upload_ready", {"x-a", "null"}, unknown_gate::reject};
    c.own_answers.headers = {{"X-A", "no"}, {"X-B", "- a: [b] # c"}, {"X-C", "~"}, {"X-D", "<"}, {"X-E", "1"}};
    c.own_answers.cors_allow_origins = {"https://a.example:8443", "http://[::1]:3000"};
    const auto printed = print_config(c);
    CHECK(print_config(read(printed)) == printed);
    const auto back = read(printed);
    CHECK(back.upstream.address == c.upstream.address);
    CHECK(back.listen.socket_mode == 07);
    CHECK(back.status.ca_file == c.status.ca_file);
    CHECK(back.status.socket == "/run/${x}");
    CHECK(back.status.jitter == c.status.jitter);
    CHECK(back.status.headers[0].file == "on");
    CHECK(back.own_answers.headers[1].value == "- a: [b] # c");
    CHECK(back.own_answers.cors_allow_origins == c.own_answers.cors_allow_origins);
}

TEST_CASE("what is printed holds no secret, and can't be taken for one") {
    config c;
    c.status.headers = {{"Authorization", "s3cret", ""}};
    c.status.url = "http://127.0.0.1:3000/internal/consistency?token=t0ken";
    const auto printed = print_config(c);
    CHECK(printed.find("s3cret") == std::string::npos);
    CHECK(printed.find("t0ken") == std::string::npos);
    const auto told = complaints(printed);
    CHECK(told.find("status.headers[0].value: is redacted") != std::string::npos);
    CHECK(told.find("status.url: is redacted") != std::string::npos);
}

TEST_CASE("no message holds a header's value") {
    const auto told =
        complaints("status:\n  headers:\n    - {name: A, value: \"s3cret\\n\"}\n    - {name: B, value: [s3cret]}\n"
                   "    - {name: C, value: &s3 s3cret}\n    - 's3cret'\n");
    CHECK(told.find("s3cret") == std::string::npos);
}

TEST_CASE("a file that can't be read says why") {
    CHECK(load_config("/nonexistent/sidecar.yaml").error().message ==
          "/nonexistent/sidecar.yaml: No such file or directory");
    CHECK(load_config("/tmp").error().message == "/tmp: is a directory");
    CHECK(load_config("/dev/null").error().message.starts_with("/dev/null:1:1: the file is empty"));
}

} // namespace config_test
