#include "proxy/program/commands.hpp"

#include "proxy/config/config_reference.hpp"
#include "proxy/config/config_values.hpp"
#include "proxy/config/load_config.hpp"
#include "proxy/control_plane/admin_access.hpp"
#include "proxy/program/admin_client.hpp"
#include "sidecar/log.hpp"
#include "sidecar/server.hpp"

#include <unistd.h>

#include <array>
#include <chrono>
#include <exception>
#include <filesystem>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

extern char** environ; // NOLINT(readability-redundant-declaration): not everywhere in <unistd.h>

namespace sidecar {
namespace {

using std::chrono::steady_clock;

constexpr std::array<const char*, 2> usual_places{"/etc/sidecar/sidecar.yaml", "./sidecar.yaml"};

int misuse(const std::string& message) {
    std::cerr << message << '\n';
    return misused;
}

int fail(const std::string& message) {
    std::cerr << message << '\n';
    return failed;
}

std::optional<std::filesystem::path> find_file(const command_line& line) {
    if (!line.file.empty()) return line.file;
    std::error_code ec;
    for (const auto* place : usual_places)
        if (std::filesystem::exists(place, ec)) return place;
    return std::nullopt;
}

overrides overrides_of(const command_line& line) {
    overrides over{line.set, {}};
    for (char** each = environ; *each != nullptr; ++each) {
        const std::string_view variable = *each;
        if (const auto equals = variable.find('='); equals != std::string_view::npos)
            over.environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
    }
    return over;
}

int print(printed what) {
    switch (what) {
    case printed::defaults:
        std::cout << config_file();
        break;
    case printed::schema:
        std::cout << config_schema();
        break;
    case printed::reference:
        std::cout << config_reference();
        break;
    case printed::config:
    case printed::nothing:
        break;
    }
    return clean;
}

// --- serve ---

// To read a pipe again would be to wait for a writer, with all that the control thread does.
result<config> load_again(const std::filesystem::path& file, const overrides& over, log& to) {
    std::error_code ec;
    if (std::filesystem::is_fifo(file, ec)) return failure{file.string() + ": is a pipe, which can't be read again"};
    std::vector<std::string> warnings;
    auto read = load_config(file, over, &warnings);
    for (const auto& each : warnings) to.line(log_level::warn, "configuration", {{"warning", std::string_view(each)}});
    return read;
}

int serve(const std::filesystem::path& file, const overrides& over, const config& first,
          const std::vector<std::string>& warnings) {
    log to(STDOUT_FILENO, first.log.level);
    for (const auto& each : warnings) to.line(log_level::warn, "configuration", {{"warning", std::string_view(each)}});
    try {
        server running(first, to, [&] { return load_again(file, over, to); });
        running.handle_signals();
        running.watch(file);
        if (const auto manager = over.environment.find("NOTIFY_SOCKET"); manager != over.environment.end())
            running.notify_service(manager->second);
        running.run();
        return clean;
    } catch (const std::exception& e) {
        to.line(log_level::error, "failed", {{"reason", std::string_view(e.what())}});
        return failed;
    }
}

int check(const std::filesystem::path& file, const config& values, const std::vector<std::string>& warnings) {
    for (const auto& each : warnings) std::cerr << "warning: " << each << '\n';
    for (const auto& each : doubts_about(values)) std::cerr << "warning: " << file.string() << ": " << each << '\n';
    std::cout << file.string() << ": ok\n";
    return clean;
}

int serve_or_check(const command_line& line) {
    if (line.print != printed::nothing && line.print != printed::config) return print(line.print);
    const auto file = find_file(line);
    if (!file)
        return misuse(std::string("no configuration: there is neither ") + usual_places[0] + " nor " + usual_places[1] +
                      "; name one with --config FILE");
    const auto over = overrides_of(line);
    std::vector<std::string> warnings;
    const auto read = load_config(*file, over, &warnings);
    if (!read) return misuse(read.error().message);
    if (line.check) check(*file, *read, warnings);
    if (line.print == printed::config) std::cout << print_config(*read);
    return line.check || line.print == printed::config ? clean : serve(*file, over, *read, warnings);
}

// --- what is asked of the sidecar that runs here ---

// A file that has become wrong since the start, or can't be read by whoever asks, is no reason not to find the sidecar
// that runs: it is asked where the options say, or what is right in the file, or else at the default address.
result<config> config_in_use(const command_line& line) {
    const auto over = overrides_of(line);
    const auto file = find_file(line);
    if (!file) return read_config("{}", "", over);
    auto read = load_config(*file, over);
    if (read) return read;
    auto in_use = load_what_is_right(*file, over);
    if (!in_use) return in_use;
    const auto& admin = in_use->admin.address;
    std::cerr << "warning: the configuration is not valid: " << read.error().message << '\n';
    if (admin) std::cerr << "warning: asked is what runs at " << print_endpoint(*admin) << '\n';
    return in_use;
}

int healthcheck(const command_line& line, const endpoint& admin) {
    const auto got = ask_admin(admin, "GET", line.live ? "/livez" : "/readyz", milliseconds(2'000));
    if (!got) return fail("healthcheck: " + got.error().message);
    std::cout << got->status << ' ' << got->body.substr(0, got->body.find('\n')) << '\n';
    return got->status == 200 ? clean : failed;
}

int status(const endpoint& admin) {
    constexpr std::array<std::pair<std::string_view, int>, 5> codes{
        {{"ok", clean}, {"degraded", 3}, {"failing", 4}, {"starting", 5}, {"draining", 5}}};
    const auto got = ask_admin(admin, "GET", "/status", milliseconds(5'000));
    if (!got) return fail("status: " + got.error().message);
    std::cout << got->body;
    const auto state = std::string_view(got->body).substr(0, got->body.find_first_not_of("abcdefghijklmnopqrstuvwxyz"));
    for (const auto& [word, code] : codes)
        if (got->status == 200 && state == word) return code;
    return failed;
}

int get(const command_line& line, const endpoint& admin) {
    if (!line.path.starts_with('/') || line.path.find_first_of(" \r\n") != std::string::npos)
        return misuse("get: expected a path, such as /metrics");
    const auto got = ask_admin(admin, "GET", line.path, milliseconds(10'000));
    if (!got) return fail("get: " + got.error().message);
    if (got->status == 200) {
        std::cout << got->body;
        return clean;
    }
    std::cerr << got->status << ' ' << got->body;
    return failed;
}

// Gone, or another one in its place.
bool has_drained(const endpoint& admin) {
    const auto got = ask_admin(admin, "GET", "/readyz", milliseconds(2'000));
    return !got || !got->body.starts_with("draining");
}

int drain(const command_line& line, const endpoint& admin, const drain_config& times) {
    constexpr milliseconds pause{100}, grace{5'000};
    const auto give_up_at = steady_clock::now() + times.accept_for + times.timeout + grace;
    const auto field = std::string(command_field) + ": drain\r\nContent-Length: 0\r\n";
    const auto got = ask_admin(admin, "POST", "/drain", milliseconds(5'000), field);
    if (!got) return fail("drain: " + got.error().message);
    if (got->status != 202) return fail("drain: " + std::to_string(got->status) + " " + got->body);
    while (line.wait && !has_drained(admin)) {
        if (steady_clock::now() > give_up_at) return fail("drain: it still runs");
        std::this_thread::sleep_for(pause);
    }
    return clean;
}

} // namespace

int run_command(const command_line& line) {
    if (line.what == command::serve) return serve_or_check(line);
    const auto values = config_in_use(line);
    if (!values) return misuse(values.error().message);
    const auto& admin = values->admin.address;
    if (!admin) return fail("admin.address is off: there is nothing to ask");
    switch (line.what) {
    case command::healthcheck:
        return healthcheck(line, *admin);
    case command::status:
        return status(*admin);
    case command::get:
        return get(line, *admin);
    case command::drain:
        return drain(line, *admin, values->drain);
    case command::serve:
        break;
    }
    return misused;
}

} // namespace sidecar
