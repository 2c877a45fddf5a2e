// The program: reads its arguments and its configuration, puts the server together and runs it.
// Exit codes: 0 clean, 1 it failed while running, 2 wrong arguments or configuration.
#include "proxy/config/config.hpp"
#include "proxy/control_plane/drain_order.hpp"
#include "proxy/healthcheck.hpp"
#include "sidecar/log.hpp"
#include "sidecar/server.hpp"

#include <CLI/CLI.hpp>

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

namespace {

using namespace sidecar;

constexpr int clean = 0, failed = 1, misused = 2;
constexpr std::array<const char*, 2> usual_places{"/etc/sidecar/sidecar.yaml", "./sidecar.yaml"};

struct arguments {
    std::string file; // empty: in one of the usual places
    bool check = false;
    bool print = false;
    bool healthcheck = false;
    bool live = false;
    bool drain = false;
};

int misuse(const std::string& message) {
    std::cerr << message << '\n';
    return misused;
}

std::optional<std::filesystem::path> find_file(const arguments& args) {
    if (!args.file.empty()) return args.file;
    std::error_code ec;
    for (const auto* place : usual_places)
        if (std::filesystem::exists(place, ec)) return place;
    return std::nullopt;
}

// To read a pipe again would be to wait for a writer, with all that the control thread does.
result<config> load_again(const std::filesystem::path& file) {
    std::error_code ec;
    if (std::filesystem::is_fifo(file, ec)) return failure{file.string() + ": is a pipe, which can't be read again"};
    return load_config(file);
}

int serve(const std::filesystem::path& file, const config& first) {
    ::signal(SIGPIPE, SIG_IGN);
    sidecar::log log(STDOUT_FILENO, first.log.level);
    try {
        server running(first, log, [file] { return load_again(file); });
        running.handle_signals();
        running.watch(file);
        if (const char* socket = std::getenv("NOTIFY_SOCKET")) running.notify_service(socket);
        running.run();
        return clean;
    } catch (const std::exception& e) {
        log.line(log_level::error, "failed", {{"reason", std::string_view(e.what())}});
        return failed;
    }
}

// A file that has become wrong since the start is no reason to call the running sidecar ill.
int healthcheck(const arguments& args) {
    const auto file = find_file(args);
    auto admin = config{}.admin.address;
    if (file) {
        if (const auto read = load_config(*file))
            admin = read->admin.address;
        else
            std::cerr << read.error().message << "\nthe default admin.address is asked\n";
    }
    if (!admin) {
        std::cerr << "admin.address is off: there is nothing to ask\n";
        return failed;
    }
    const auto answer = ask_health(*admin, args.live ? "/livez" : "/readyz", milliseconds(2'000));
    if (!answer) {
        std::cerr << "healthcheck: " << answer.error().message << '\n';
        return failed;
    }
    std::cout << answer->status << ' ' << answer->body.substr(0, answer->body.find('\n')) << '\n';
    return answer->status == 200 ? clean : failed;
}

int drain() {
    const auto ordered = order_drain();
    if (ordered) return clean;
    std::cerr << "drain: " << ordered.error().message << '\n';
    return failed;
}

int run(const arguments& args) {
    if (args.drain) return drain();
    if (args.healthcheck) return healthcheck(args);
    const auto file = find_file(args);
    if (!file)
        return misuse(std::string("no configuration: there is neither ") + usual_places[0] + " nor " + usual_places[1] +
                      "; name one with --config FILE");
    const auto read = load_config(*file);
    if (!read) return misuse(read.error().message);
    if (args.check) std::cout << file->string() << ": ok\n";
    if (args.print) std::cout << print_config(*read);
    return args.check || args.print ? clean : serve(*file, *read);
}

} // namespace

int main(int argc, char** argv) {
    arguments args;
    CLI::App app("Adds eventual-consistency status to the Duke Data Service API, in front of it.", "sidecar");
    app.add_option("-c,--config", args.file, "the configuration; else /etc/sidecar/sidecar.yaml, then ./sidecar.yaml")
        ->type_name("FILE");
    app.add_flag("--check", args.check, "say whether the configuration is right, and end");
    app.add_flag("--print-config", args.print, "print the configuration with all defaults, without secrets, and end");
    app.set_version_flag("--version", "sidecar " SIDECAR_VERSION);
    auto* health = app.add_subcommand("healthcheck", "ask the sidecar that runs here whether it is ready, and end");
    health->add_flag("--live", args.live, "ask whether it is alive");
    health->fallthrough();
    const auto* draining =
        app.add_subcommand("drain", "tell the sidecar that runs here to drain, as SIGTERM does, and end");
    try {
        app.parse(argc, argv);
        args.healthcheck = health->parsed();
        args.drain = draining->parsed();
        return run(args);
    } catch (const CLI::ParseError& e) {
        return app.exit(e) == 0 ? clean : misused;
    } catch (const std::exception& e) {
        std::cerr << "sidecar: " << e.what() << '\n';
        return failed;
    }
}
