// The program's arguments and exit codes.
#include "tests/harness/patience.hpp"
#include "tests/harness/process.hpp"

#include <doctest/doctest.h>

#include <signal.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace program_test {

namespace fs = std::filesystem;
using namespace harness;

TEST_CASE("--version and --help say so, and that is all") {
    process version({"--version"}), help({"--help"});
    CHECK(version.exit_code() == 0);
    CHECK(version.output().starts_with("sidecar "));
    CHECK(version.output().ends_with(")\n")); // the revision
    CHECK(help.exit_code() == 0);
    CHECK(help.output().find("healthcheck") != std::string::npos);
}

TEST_CASE("wrong arguments are exit code 2") {
    CHECK(process({"--nope"}).exit_code() == 2);
    CHECK(process({"--config"}).exit_code() == 2);
    CHECK(process({"here"}).exit_code() == 2);
}

TEST_CASE("--check says whether a configuration is right, with all that is wrong") {
    const folder here;
    process right({"--check", "--config", here.write("workers: 2\n")});
    CHECK(right.exit_code() == 0);
    CHECK(right.output() == (here.path / "sidecar.yaml").string() + ": ok\n");
    process wrong({"--check", "--config", here.write("workers: 0\nlog: {levle: info}\n")});
    CHECK(wrong.exit_code() == 2);
    CHECK(wrong.output().find("sidecar.yaml:1:10: workers: ") != std::string::npos);
    CHECK(wrong.output().find("sidecar.yaml:2:7: unknown key 'levle', did you mean 'level'?") != std::string::npos);
}

TEST_CASE("--print-config prints all keys, and no secret") {
    const folder here;
    process print({"--print-config", "-c", here.write("status: {headers: [{name: Authorization, value: s3cret}]}\n")});
    CHECK(print.exit_code() == 0);
    CHECK(print.output().find("accept_for: 5s") != std::string::npos);
    CHECK(print.output().find("s3cret") == std::string::npos);
}

TEST_CASE("--check warns of what is right and yet doubtful, and that is no failure") {
    const folder here;
    process check(
        {"--check", "--config",
         here.write("max_pipes: 1\nstatus: {ca_file: /nonexistent/ca.pem}\n"
                    "rules: [{name: wide, method: GET, path: '/projects/{id}', gate: {collection: c, member: m}}]\n")});
    CHECK(check.exit_code() == 0);
    for (const auto* part : {"sidecar.yaml:1:12: max_pipes: is deprecated", "rule 'project_info' is hidden by 'wide'",
                             "status.ca_file: /nonexistent/ca.pem: No such file", "sidecar.yaml: ok"})
        CHECK_MESSAGE(check.output().find(part) != std::string::npos, part);
}

TEST_CASE("what is deprecated is said in the log at the start and at a reload") {
    const folder here;
    const auto file = here.write(quick_to_end(free_port()) + "max_pipes: 1\n");
    process sidecar({"--config", file});
    sidecar.await("max_pipes: is deprecated");
    sidecar.await("\"msg\":\"serving\"");
    here.write(quick_to_end(free_port()) + "log: {access: true}\n");
    sidecar.signal(SIGHUP);
    sidecar.await("log.access: 'true' is deprecated, write all");
}

TEST_CASE("--set comes over the file, and variables of the environment are put in") {
    const folder here;
    const auto file = here.write("listen: {address: \"127.0.0.1:${SIDECAR_TEST_PORT:-7}\"}\n");
    process print({"--print-config", "-c", file, "--set", "workers=3", "--set=drain.timeout=7s"}, "/",
                  "SIDECAR_TEST_PORT=8123");
    CHECK(print.exit_code() == 0);
    CHECK(print.output().find("address: 127.0.0.1:8123\n") != std::string::npos);
    CHECK(print.output().find("workers: 3\n") != std::string::npos);
    CHECK(print.output().find("timeout: 7s\n") != std::string::npos);
    process wrong({"--check", "-c", file, "--set", "wokers=3"});
    CHECK(wrong.exit_code() == 2);
    CHECK(wrong.output() == "--set wokers: unknown key 'wokers', did you mean 'workers'?\n");
}

TEST_CASE("schema, reference and defaults are printed without a configuration") {
    process schema({"--print-schema"}), reference({"--print-reference"}), defaults({"--print-defaults"});
    CHECK(schema.exit_code() == 0);
    CHECK(schema.output().find("\"additionalProperties\": false") != std::string::npos);
    CHECK(reference.exit_code() == 0);
    CHECK(reference.output().starts_with("# Configuration\n"));
    CHECK(defaults.exit_code() == 0);
    CHECK(defaults.output().find("\nupstream:\n") != std::string::npos);
}

TEST_CASE("without --config the file is looked for, and both places are named if there is none") {
    if (fs::exists("/etc/sidecar/sidecar.yaml")) return;
    const folder here;
    process none({"--check"}, here.path);
    CHECK(none.exit_code() == 2);
    CHECK(none.output().find("/etc/sidecar/sidecar.yaml") != std::string::npos);
    CHECK(none.output().find("./sidecar.yaml") != std::string::npos);
    here.write("workers: 1\n");
    process found({"--check"}, here.path);
    CHECK(found.exit_code() == 0);
    CHECK(found.output() == "./sidecar.yaml: ok\n");
}

} // namespace program_test
