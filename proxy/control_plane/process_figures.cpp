#include "proxy/control_plane/process_figures.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <system_error>

namespace sidecar {
namespace {

std::size_t open_descriptors() {
    std::error_code ec;
    const std::filesystem::directory_iterator descriptors("/proc/self/fd", ec);
    if (ec) return 0;
    return static_cast<std::size_t>(std::distance(begin(descriptors), end(descriptors)));
}

// Seconds since the epoch, from the line `btime N`.
double boot_time() {
    std::ifstream stat("/proc/stat");
    for (std::string word; stat >> word;) {
        double seconds = 0;
        if (word == "btime" && stat >> seconds) return seconds;
    }
    return 0;
}

// proc(5), /proc/PID/stat: the fields after the name, which is in brackets and may hold anything.
void read_stat(process_figures& into) {
    std::ifstream file("/proc/self/stat");
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto name_ends = text.rfind(')');
    if (name_ends == std::string::npos) return;
    std::istringstream fields(text.substr(name_ends + 1));
    constexpr int first = 3, utime = 14, stime = 15, num_threads = 20, starttime = 22, vsize = 23, rss = 24;
    const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
    std::string word;
    for (int field = first; field <= rss && fields >> word; ++field) {
        if (field == utime || field == stime) into.cpu_seconds += std::stod(word) / ticks;
        if (field == num_threads) into.threads = std::stoul(word);
        if (field == starttime) into.start_time_unix = boot_time() + std::stod(word) / ticks;
        if (field == vsize) into.virtual_bytes = std::stoul(word);
        if (field == rss) into.resident_bytes = std::stoul(word) * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    }
}

} // namespace

process_figures read_process_figures() {
    process_figures figures;
    read_stat(figures);
    figures.open_descriptors = open_descriptors();
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) figures.descriptors_max = limit.rlim_cur;
    return figures;
}

pod_names read_pod_names() {
    const auto from_environment = [](const char* name) -> std::string {
        const char* value = std::getenv(name); // NOLINT(concurrency-mt-unsafe): nobody sets any
        return value == nullptr ? "" : value;
    };
    pod_names names{from_environment("POD_NAME"), from_environment("POD_NAMESPACE")};
    if (names.name.empty()) names.name = from_environment("HOSTNAME");
    if (names.space.empty())
        std::getline(std::ifstream("/var/run/secrets/kubernetes.io/serviceaccount/namespace"), names.space);
    return names;
}

} // namespace sidecar
