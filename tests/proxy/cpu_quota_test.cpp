#include "proxy/control_plane/cpu_quota.hpp"
#include "tests/proxy/control_tools.hpp"

#include <doctest/doctest.h>

#include <sched.h>

#include <algorithm>

namespace cpu_quota_test {

using namespace sidecar;
using namespace sidecar::testing;

// A /proc and a cgroup file system of our own.
struct machine : temporary_directory {
    cgroup_files files{path / "cgroup", path / "mountinfo"};

    void membership(const std::string& lines) { write_file(files.membership, lines); }
    void mount(const std::string& type, const std::string& root, const std::string& at, const std::string& options) {
        std::filesystem::create_directories(path / at);
        mounts_ += "30 23 0:26 " + root + " " + (path / at).string() + " ro,nosuid shared:4 - " + type + " cgroup " +
                   options + "\n";
        write_file(files.mounts, mounts_);
    }
    void file(const std::string& name, const std::string& content) {
        std::filesystem::create_directories((path / name).parent_path());
        write_file(path / name, content);
    }
    unsigned cpus() const { return usable_cpus(files); }

private:
    std::string mounts_;
};

unsigned by_affinity() {
    cpu_set_t mask;
    sched_getaffinity(0, sizeof mask, &mask);
    return static_cast<unsigned>(CPU_COUNT(&mask));
}

TEST_CASE("without cgroups the affinity mask counts") {
    const machine m;
    CHECK(m.cpus() == by_affinity());
    CHECK(usable_cpus() >= 1);
}

TEST_CASE("cgroup v2: the quota, rounded up, at least 1") {
    machine m;
    m.mount("cgroup2", "/", "unified", "rw");
    m.membership("0::/\n");
    m.file("unified/cpu.max", "50000 100000\n");
    CHECK(m.cpus() == 1);
    m.file("unified/cpu.max", "100001 100000\n");
    CHECK(m.cpus() == std::min(2U, by_affinity()));
    m.file("unified/cpu.max", "max 100000\n");
    CHECK(m.cpus() == by_affinity());
    m.file("unified/cpu.max", "rubbish\n");
    CHECK(m.cpus() == by_affinity());
}

TEST_CASE("cgroup v2: the least on the way up counts") {
    machine m;
    m.mount("cgroup2", "/", "unified", "rw");
    m.membership("0::/kubepods/pod1/container\n");
    m.file("unified/kubepods/pod1/container/cpu.max", "max 100000");
    m.file("unified/kubepods/pod1/cpu.max", "100000 100000");
    CHECK(m.cpus() == 1);
}

TEST_CASE("cgroup v1: quota and period, the controller among others, -1 is none") {
    machine m;
    m.mount("cgroup", "/", "cpu,cpuacct", "rw,cpu,cpuacct");
    m.mount("cgroup", "/", "memory", "rw,memory");
    m.membership("5:memory:/x\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n");
    m.file("cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "20000\n");
    m.file("cpu,cpuacct/docker/abc/cpu.cfs_period_us", "100000\n");
    CHECK(m.cpus() == 1);
    m.file("cpu,cpuacct/docker/abc/cpu.cfs_quota_us", "-1\n");
    CHECK(m.cpus() == by_affinity());
}

TEST_CASE("cgroup v1 without a namespace: the mount shows the container's own cgroup as its root") {
    machine m;
    m.mount("cgroup", "/docker/abc", "cpu", "rw,cpu");
    m.membership("4:cpu:/docker/abc\n");
    m.file("cpu/cpu.cfs_quota_us", "100000");
    m.file("cpu/cpu.cfs_period_us", "100000");
    CHECK(m.cpus() == 1);
}

} // namespace cpu_quota_test
