// How many CPUs this process may use: the least of its affinity mask and of the CPU quotas of its cgroup and of the
// cgroups above it (v2 cpu.max, v1 cpu.cfs_quota_us). A container's limit is not what hardware_concurrency() says.
#pragma once

#include <filesystem>

namespace sidecar {

// Where the kernel's files are; tests put others in their place.
struct cgroup_files {
    std::filesystem::path membership = "/proc/self/cgroup";
    std::filesystem::path mounts = "/proc/self/mountinfo";
};

// Quotas are rounded up (half a CPU still needs one worker); at least 1.
unsigned usable_cpus(const cgroup_files& = {});

} // namespace sidecar
