// The program: its arguments, then what they ask for. Exit codes: 0 clean, 1 it failed while running, 2 wrong arguments
// or configuration; `status` has further ones.
#include "proxy/program/command_line.hpp"
#include "proxy/program/commands.hpp"

#include <malloc.h>
#include <signal.h>

#include <exception>
#include <iostream>

namespace {

// Large memory is the kernel's again once it is free. Left alone, glibc takes the first large piece that is freed (a
// status document) for a sign to have all of that size from its heap, where tables and documents of many sizes, each
// replaced by the next, leave holes of many times what they hold.
void give_large_memory_back() noexcept { ::mallopt(M_MMAP_THRESHOLD, 1024 * 1024); }

} // namespace

int main(int argc, char** argv) {
    try {
        give_large_memory_back();
        ::signal(SIGPIPE, SIG_IGN);
        const auto line = sidecar::parse_command_line(argc, argv);
        if (const auto* code = std::get_if<int>(&line)) return *code;
        return sidecar::run_command(std::get<sidecar::command_line>(line));
    } catch (const std::exception& e) {
        std::cerr << "sidecar: " << e.what() << '\n';
        return sidecar::failed;
    }
}
