#include "proxy/program/command_line.hpp"

#include "sidecar/version.hpp"

#include <CLI/CLI.hpp>

namespace sidecar {
namespace {

// Options that each command takes, too.
void add_common(CLI::App& to, command_line& into) {
    to.add_option("-c,--config", into.file, "the configuration; else /etc/sidecar/sidecar.yaml, then ./sidecar.yaml")
        ->type_name("FILE");
    to.add_option("--set", into.set, "over what the file says: --set upstream.address=127.0.0.1:3000; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
}

void add_printing(CLI::App& to, command_line& into) {
    const auto prints = [&](const char* option, printed what, const char* about) {
        to.add_flag_callback(
            option, [&into, what] { into.print = what; }, about);
    };
    to.add_flag("--check", into.check, "say whether the configuration is right, and what is doubtful, and end");
    prints("--print-config", printed::config, "print the configuration in force, without secrets, and end");
    prints("--print-defaults", printed::defaults, "print a configuration file with every key and its default, and end");
    prints("--print-schema", printed::schema, "print the JSON Schema of the configuration, for editors, and end");
    prints("--print-reference", printed::reference, "print what there is to configure, as Markdown, and end");
}

void add_commands(CLI::App& to, command_line& into) {
    const auto add = [&](const char* name, command what, const char* about) {
        auto* added = to.add_subcommand(name, about);
        added->callback([&into, what] { into.what = what; });
        return added;
    };
    add("healthcheck", command::healthcheck, "ask the sidecar that runs here whether it is ready, and end")
        ->add_flag("--live", into.live, "ask whether it is alive");
    add("status", command::status,
        "print how it is doing; exit code 0: well, 3: degraded, 4: failing, 5: starting or draining");
    add("get", command::get, "print what the admin listener says to a path: /metrics, /readiness?id=...")
        ->add_option("path", into.path, "the path")
        ->required()
        ->type_name("PATH");
    add("drain", command::drain, "tell the sidecar that runs here to drain, and end")
        ->add_flag("--wait", into.wait, "end when it has");
    to.fallthrough();
    for (auto* each : to.get_subcommands({})) each->fallthrough();
}

} // namespace

std::variant<command_line, int> parse_command_line(int argc, char** argv) {
    command_line into;
    CLI::App app("Adds eventual-consistency status to the Duke Data Service API, in front of it.", "sidecar");
    add_common(app, into);
    add_printing(app, into);
    add_commands(app, into);
    app.set_version_flag("--version", "sidecar " + std::string(version()) + " (" + std::string(revision()) + ")");
    try {
        app.parse(argc, argv);
        return into;
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? clean : misused;
    }
}

} // namespace sidecar
