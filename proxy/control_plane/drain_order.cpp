#include "proxy/control_plane/drain_order.hpp"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <string>
#include <system_error>

namespace sidecar {
namespace {

namespace fs = std::filesystem;

// Names differ with how it was called; the file that runs is the same.
bool is_same_program(const fs::path& one, const fs::path& other) {
    struct stat first {};
    struct stat second {};
    return ::stat((one / "exe").c_str(), &first) == 0 && ::stat((other / "exe").c_str(), &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

std::optional<pid_t> process_id(const std::string& name) {
    pid_t id = 0;
    const auto [end, ec] = std::from_chars(name.data(), name.data() + name.size(), id);
    if (ec != std::errc{} || end != name.data() + name.size()) return std::nullopt;
    return id;
}

} // namespace

result<int> order_drain(const fs::path& processes) {
    int ordered = 0;
    std::error_code ec;
    for (const auto& entry : fs::directory_iterator(processes, ec)) {
        const auto id = process_id(entry.path().filename());
        if (!id || *id == ::getpid() || !is_same_program(entry.path(), processes / "self")) continue;
        if (::kill(*id, SIGTERM) == 0) ++ordered;
    }
    if (ordered == 0) return failure{"no other sidecar runs here that may be signalled"};
    return ordered;
}

} // namespace sidecar
