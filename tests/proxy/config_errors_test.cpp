// What is wrong with a configuration, each with its place.
#include "tests/proxy/config_reading.hpp"

#include <doctest/doctest.h>

namespace config_errors_test {

using namespace sidecar;
using namespace config_reading;

TEST_CASE("unknown keys are errors, with the nearest name") {
    CHECK(complaints("status:\n  timeot: 5s") == "2:3: unknown key 'timeot', did you mean 'timeout'?");
    CHECK(complaints("lisetn: {}") == "1:1: unknown key 'lisetn', did you mean 'listen'?");
    CHECK(complaints("drain: {tiemout: 5s}") == "1:9: unknown key 'tiemout', did you mean 'timeout'?");
    CHECK(complaints("drain: {colour: blue}") == "1:9: unknown key 'colour', here are known: accept_for, timeout");
    CHECK(complaints("rules: [{name: a, gate: {collection: c, member: m, requires: [x]}}]")
              .find("1:52: unknown key 'requires', did you mean 'require'?") != std::string::npos);
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

} // namespace config_errors_test
