#include "tests/harness/program.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <utility>

extern char** environ; // NOLINT(readability-redundant-declaration): not everywhere in <unistd.h>

namespace harness {

namespace fs = std::filesystem;

program::program(const std::string& yaml) {
    folder_ = (fs::temp_directory_path() / "sidecar-XXXXXX").string();
    if (!::mkdtemp(folder_.data())) throw std::runtime_error("mkdtemp");
    const std::string file = folder_ + "/sidecar.yaml";
    std::ofstream(file) << "listen: {address: 127.0.0.1:0}\n" << yaml;
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    std::string path = (fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "sidecar").string();
    std::string option = "--config", value = file;
    char* const argv[] = {path.data(), option.data(), value.data(), nullptr};
    const int error = ::posix_spawn(&id_, path.c_str(), &actions, nullptr, argv, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (error != 0) throw std::runtime_error("the program must be built before: " + path);
    const auto said = read_until("\"msg\":\"serving\"");
    const std::string_view key = "\"port\":";
    const auto at = said.find(key, said.find("\"msg\":\"serving\""));
    if (at == std::string::npos) throw std::runtime_error("the program does not serve: " + said);
    std::from_chars(said.data() + at + key.size(), said.data() + said.size(), port_);
}

program::~program() {
    if (id_ > 0) {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    ::close(output_);
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

bool program::is_alive() const {
    siginfo_t how{};
    return ::waitid(P_PID, static_cast<id_t>(id_), &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == 0;
}

std::size_t program::resident_bytes() const { return pages(1) * static_cast<std::size_t>(::getpagesize()); }
std::size_t program::data_bytes() const { return pages(5) * static_cast<std::size_t>(::getpagesize()); }

std::size_t program::descriptors() const {
    const fs::directory_iterator all("/proc/" + std::to_string(id_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

milliseconds program::cpu_time() const {
    std::ifstream in("/proc/" + std::to_string(id_) + "/stat");
    std::string skipped;
    for (int i = 0; i < 13; ++i) in >> skipped; // the name has no blank
    long user = 0, system = 0;
    in >> user >> system;
    return milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

std::size_t program::pages(int column) const {
    std::ifstream in("/proc/" + std::to_string(id_) + "/statm");
    std::size_t value = 0;
    for (int i = 0; i <= column; ++i) in >> value;
    return in ? value : 0;
}

void program::limit(int resource, rlim_t most) const {
    rlimit now{};
    ::prlimit(id_, static_cast<__rlimit_resource>(resource), nullptr, &now);
    now.rlim_cur = most;
    if (::prlimit(id_, static_cast<__rlimit_resource>(resource), &now, nullptr) != 0)
        throw std::runtime_error("prlimit");
}

void program::halt() const {
    ::kill(id_, SIGSTOP);
    siginfo_t how{};
    ::waitid(P_PID, static_cast<id_t>(id_), &how, WSTOPPED);
}

void program::go_on() const { ::kill(id_, SIGCONT); }

program::ending program::terminate() {
    ::kill(id_, SIGTERM);
    std::string said;
    const auto until = std::chrono::steady_clock::now() + 4 * patience;
    for (;;) { // its output ends with it
        if (std::chrono::steady_clock::now() > until) return {-1, said + "(and does not end)"};
        pollfd its_output{output_, POLLIN, 0};
        char bytes[4096];
        if (::poll(&its_output, 1, 100) <= 0) continue;
        const auto n = ::read(output_, bytes, sizeof bytes);
        if (n <= 0) break;
        said.append(bytes, static_cast<std::size_t>(n));
    }
    int how = 0;
    ::waitpid(std::exchange(id_, -1), &how, 0);
    return {WIFEXITED(how) ? WEXITSTATUS(how) : -1, said};
}

// Its output up to the line that holds this, and what else has come by then.
std::string program::read_until(std::string_view text) {
    std::string said;
    const auto until = std::chrono::steady_clock::now() + patience;
    const auto whole = [&] {
        const auto at = said.find(text);
        return at != std::string::npos && said.find('\n', at) != std::string::npos;
    };
    while (!whole()) {
        pollfd one{output_, POLLIN, 0};
        char bytes[4096];
        if (std::chrono::steady_clock::now() > until) break;
        if (::poll(&one, 1, 100) <= 0) continue;
        const auto n = ::read(output_, bytes, sizeof bytes);
        if (n <= 0) break;
        said.append(bytes, static_cast<std::size_t>(n));
    }
    return said;
}

} // namespace harness
