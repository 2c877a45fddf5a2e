// The program: its arguments, then what they ask for. Exit codes: 0 clean, 1 it failed while running, 2 wrong arguments
// or configuration; `status` has further ones.
#include "proxy/program/command_line.hpp"
#include "proxy/program/commands.hpp"

#include <signal.h>

#include <exception>
#include <iostream>

int main(int argc, char** argv) {
    try {
        ::signal(SIGPIPE, SIG_IGN);
        const auto line = sidecar::parse_command_line(argc, argv);
        if (const auto* code = std::get_if<int>(&line)) return *code;
        return sidecar::run_command(std::get<sidecar::command_line>(line));
    } catch (const std::exception& e) {
        std::cerr << "sidecar: " << e.what() << '\n';
        return sidecar::failed;
    }
}
