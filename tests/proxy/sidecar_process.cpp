#include "tests/proxy/sidecar_process.hpp"

#include "tests/harness/listener.hpp"
#include "tests/harness/patience.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <utility>

namespace sidecar_process {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

fs::path program() { return fs::read_symlink("/proc/self/exe").parent_path().parent_path() / "sidecar"; }

folder::folder() {
    std::string name = (fs::temp_directory_path() / "sidecar-XXXXXX").string();
    path = ::mkdtemp(name.data());
}
folder::~folder() { fs::remove_all(path); }

std::string folder::write(const std::string& text) const {
    const auto file = path / "sidecar.yaml";
    std::ofstream(file) << text;
    return file.string();
}

process::process(std::vector<std::string> arguments, const fs::path& directory, std::string variable) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    output_ = ends[0];
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addchdir_np(&actions, directory.c_str());
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
    auto path = program().string();
    std::vector<char*> argv{path.data()};
    for (auto& one : arguments) argv.push_back(one.data());
    argv.push_back(nullptr);
    std::vector<char*> environment{variable.data()}; // an empty one is none
    for (char** each = ::environ; *each != nullptr; ++each) environment.push_back(*each);
    environment.push_back(nullptr);
    const int error = ::posix_spawn(&id_, path.c_str(), &actions, nullptr, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    REQUIRE_MESSAGE(error == 0, "the program must be built before: " << path);
}

process::~process() {
    if (id_ > 0) {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    ::close(output_);
}

void process::limit_descriptors(rlim_t most) const {
    const rlimit limit{most, most};
    REQUIRE(::prlimit(id_, RLIMIT_NOFILE, &limit, nullptr) == 0);
}

std::size_t process::descriptors() const {
    const fs::directory_iterator all("/proc/" + std::to_string(id_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

void process::signal(int number) const { ::kill(id_, number); }

const std::string& process::await(std::string_view text) {
    const auto give_up_at = steady_clock::now() + harness::patience;
    while (text_.find(text) == std::string::npos && steady_clock::now() < give_up_at)
        if (!read_some()) break;
    CHECK_MESSAGE(text_.find(text) != std::string::npos, text_);
    return text_;
}

int process::exit_code() {
    const auto give_up_at = steady_clock::now() + harness::patience;
    while (read_some() && steady_clock::now() < give_up_at) {
    }
    if (steady_clock::now() >= give_up_at) ::kill(id_, SIGKILL);
    int status = 0;
    ::waitpid(std::exchange(id_, -1), &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

bool process::read_some() {
    pollfd watched{output_, POLLIN, 0};
    if (::poll(&watched, 1, 100) <= 0) return true;
    char bytes[4096];
    const auto got = ::read(output_, bytes, sizeof bytes);
    if (got > 0) text_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
}

std::uint16_t free_port() { return harness::listener().port(); }

std::string quick_to_end(std::uint16_t admin_port, std::uint16_t port) {
    return "listen: {address: 127.0.0.1:" + std::to_string(port) + "}\n" +
           "admin: {address: 127.0.0.1:" + std::to_string(admin_port) + "}\n" +
           "workers: 1\ndrain: {accept_for: 0s, timeout: 1s}\n";
}

} // namespace sidecar_process
