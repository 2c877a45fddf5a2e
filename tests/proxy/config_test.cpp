// What a configuration says that is right: shipped, read, printed.
#include "proxy/config/config_reference.hpp"
#include "tests/proxy/config_reading.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

namespace config_test {

using namespace sidecar;
using namespace config_reading;

std::string shipped_file() { return SIDECAR_SHIPPED_FILE; } // named by CMake: ccache makes __FILE__ relative

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::filesystem::path source(const char* name) { return std::filesystem::path(shipped_file()).parent_path() / name; }

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

TEST_CASE("so few connections that workers can't share them well are doubtful") {
    const std::string upstream = "upstream: {max_connections: 7}", downstream = "downstream: {max_connections: 1}";
    CHECK(doubts_about(read("workers: 2\n" + upstream + "\n" + downstream)) ==
          std::vector<std::string>{"upstream.max_connections: 7 over 2 workers is 4 each, and clients come to them "
                                   "unevenly: fewer workers would share better",
                                   "downstream.max_connections: 1 over 2 workers is 1 each, and clients come to them "
                                   "unevenly: fewer workers would share better"});
    CHECK(doubts_about(read("workers: 1\n" + upstream)).empty());
    CHECK(doubts_about(read("workers: auto\n" + upstream)).empty());
    CHECK(doubts_about(read("workers: 2\nupstream: {max_connections: 8}")).empty());
    CHECK(doubts_about(read("workers: 2\nupstream: {max_connections: auto}")).empty());
}

TEST_CASE("a rule that hides a built-in one is printed with it, and read back") {
    const auto c = read("rules: [{name: mine, method: PUT, path: '/files/{id}', gate: {collection: c, member: m}}]");
    CHECK(doubts_about(c).size() == 1);
    CHECK(print_config(read(print_config(c))) == print_config(c));
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

} // namespace config_test
