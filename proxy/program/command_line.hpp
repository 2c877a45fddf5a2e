// What the program was told to do. The only part that knows CLI11.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace sidecar {

enum class command : std::uint8_t { serve, healthcheck, status, get, drain };
enum class printed : std::uint8_t { nothing, config, defaults, schema, reference };

struct command_line {
    command what = command::serve;
    std::string file;             // empty: in one of the usual places
    std::vector<std::string> set; // KEY=VALUE
    bool check = false;
    printed print = printed::nothing;
    bool live = false; // healthcheck
    bool wait = false; // drain
    std::string path;  // get
};

// Exit codes. Those of `status` are further states.
inline constexpr int clean = 0, failed = 1, misused = 2;

// Or the exit code, if there is nothing left to do (--help, --version) or to be understood.
std::variant<command_line, int> parse_command_line(int argc, char** argv);

} // namespace sidecar
