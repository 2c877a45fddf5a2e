// What the program does, command by command. Each gives the exit code.
#pragma once

#include "proxy/program/command_line.hpp"

namespace sidecar {

int run_command(const command_line&);

} // namespace sidecar
