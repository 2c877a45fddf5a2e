#include "proxy/control_plane/cpu_quota.hpp"

#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {
namespace {

namespace fs = std::filesystem;

constexpr double no_quota = std::numeric_limits<double>::infinity();

// One line of /proc/self/cgroup that can hold a CPU quota: v2's `0::/path`, or v1's with the controller `cpu`.
struct membership {
    bool v2 = false;
    std::string path;
};

// Where such a hierarchy is mounted, and which of its cgroups the mount shows as its root.
struct mount {
    bool v2 = false;
    std::string root;
    fs::path point;
};

bool lists(std::string_view comma_separated, std::string_view word) {
    while (!comma_separated.empty()) {
        const auto comma = comma_separated.find(',');
        if (comma_separated.substr(0, comma) == word) return true;
        if (comma == std::string_view::npos) return false;
        comma_separated.remove_prefix(comma + 1);
    }
    return false;
}

std::vector<membership> read_memberships(const fs::path& file) {
    std::vector<membership> found;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const auto controllers = std::string_view(line).substr(first + 1, second - first - 1);
        const bool v2 = controllers.empty();
        if (v2 || lists(controllers, "cpu")) found.push_back({v2, line.substr(second + 1)});
    }
    return found;
}

// proc(5): id parent major:minor root point options [optional fields] - type source super-options
std::vector<mount> read_mounts(const fs::path& file) {
    std::vector<mount> found;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) {
        const auto dash = line.find(" - ");
        if (dash == std::string::npos) continue;
        std::istringstream before(line.substr(0, dash));
        std::istringstream after(line.substr(dash + 3));
        std::string id, parent, device, root, point, type, source, options;
        before >> id >> parent >> device >> root >> point;
        after >> type >> source >> options;
        if (type == "cgroup2") found.push_back({true, root, point});
        if (type == "cgroup" && lists(options, "cpu")) found.push_back({false, root, point});
    }
    return found;
}

double quota_v2(const fs::path& cgroup) {
    std::ifstream in(cgroup / "cpu.max");
    std::string quota;
    double period = 0;
    if (!(in >> quota >> period) || quota == "max" || period <= 0) return no_quota;
    std::istringstream number(quota);
    double microseconds = 0;
    return number >> microseconds && microseconds > 0 ? microseconds / period : no_quota;
}

double quota_v1(const fs::path& cgroup) {
    std::ifstream quota_file(cgroup / "cpu.cfs_quota_us");
    std::ifstream period_file(cgroup / "cpu.cfs_period_us");
    double quota = 0;
    double period = 0;
    if (!(quota_file >> quota) || !(period_file >> period) || quota <= 0 || period <= 0) return no_quota;
    return quota / period;
}

// The cgroup's path as seen below the mount. A container without a cgroup namespace of its own sees the host's path,
// of which the mount shows only the end; what does not lie below it is taken for the mount's root.
fs::path below(const mount& at, const std::string& path) {
    if (at.root == "/") return fs::path(path).relative_path();
    if (path == at.root) return {};
    if (path.starts_with(at.root + "/")) return path.substr(at.root.size() + 1);
    return {};
}

// A quota holds for everything below: the least on the way up to the mount.
double quota_of(const membership& member, const mount& at) {
    double least = no_quota;
    fs::path relative = below(at, member.path);
    for (;;) {
        const auto cgroup = at.point / relative;
        least = std::min(least, at.v2 ? quota_v2(cgroup) : quota_v1(cgroup));
        if (relative.empty()) return least;
        relative = relative.parent_path();
    }
}

double affinity() {
    cpu_set_t mask;
    CPU_ZERO(&mask);
    // More CPUs than the mask holds: no limit that would matter here.
    if (sched_getaffinity(0, sizeof mask, &mask) != 0) return CPU_SETSIZE;
    return CPU_COUNT(&mask);
}

} // namespace

unsigned usable_cpus(const cgroup_files& files) {
    double least = affinity();
    const auto mounts = read_mounts(files.mounts);
    for (const auto& member : read_memberships(files.membership))
        for (const auto& at : mounts)
            if (at.v2 == member.v2) least = std::min(least, quota_of(member, at));
    return static_cast<unsigned>(std::max(1.0, std::ceil(least)));
}

} // namespace sidecar
