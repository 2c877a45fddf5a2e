// `sidecar drain`: finds the other process of the same program, and tells it to drain.
#include "proxy/control_plane/drain_order.hpp"

#include <doctest/doctest.h>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

namespace fs = std::filesystem;

namespace {

// In place of /proc: which process runs which program.
struct processes {
    processes() {
        std::string name = (fs::temp_directory_path() / "processes-XXXXXX").string();
        path = ::mkdtemp(name.data());
        std::ofstream(path / "program") << "this one";
        std::ofstream(path / "other") << "another";
        add("self", "program");
    }
    ~processes() { fs::remove_all(path); }
    processes(const processes&) = delete;
    processes& operator=(const processes&) = delete;

    void add(const std::string& id, const char* program) const {
        fs::create_directory(path / id);
        fs::create_symlink(path / program, path / id / "exe");
    }
    fs::path path;
};

// Ends only by a signal, or after a minute.
class sleeper {
public:
    sleeper() {
        char name[] = "sleep";
        char time[] = "60";
        char* argv[] = {name, time, nullptr};
        REQUIRE(::posix_spawnp(&id_, name, nullptr, nullptr, argv, nullptr) == 0);
    }
    ~sleeper() {
        if (id_ > 0) ended_by_after(SIGKILL);
    }
    sleeper(const sleeper&) = delete;
    sleeper& operator=(const sleeper&) = delete;

    std::string id() const { return std::to_string(id_); }
    // Which signal has ended it, by now or by this one.
    int ended_by_after(int signal) {
        ::kill(id_, signal);
        int status = 0;
        ::waitpid(std::exchange(id_, -1), &status, 0);
        return WTERMSIG(status);
    }

private:
    pid_t id_ = -1;
};

} // namespace

TEST_CASE("drain reaches the process that runs the same file, whatever it is called, and no other") {
    const processes here;
    sleeper same, other;
    here.add(same.id(), "program");
    here.add(other.id(), "other");
    fs::create_directory(here.path / "net"); // what else is in /proc
    const auto ordered = sidecar::order_drain(here.path);
    REQUIRE(ordered.has_value());
    CHECK(*ordered == 1);
    CHECK(same.ended_by_after(0) == SIGTERM);
    CHECK(other.ended_by_after(SIGKILL) == SIGKILL);
}

TEST_CASE("drain says so if there is nobody") {
    const processes here;
    CHECK_FALSE(sidecar::order_drain(here.path).has_value());
    here.add(std::to_string(::getpid()), "program"); // the one that asks
    CHECK_FALSE(sidecar::order_drain(here.path).has_value());
    CHECK_FALSE(sidecar::order_drain(here.path / "nothing").has_value());
}
