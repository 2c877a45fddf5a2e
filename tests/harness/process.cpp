#include "tests/harness/process.hpp"

#include "tests/harness/listener.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <utility>

extern char** environ; // NOLINT(readability-redundant-declaration): not everywhere in <unistd.h>

namespace harness {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

namespace {
// Beside the tests, or above them.
fs::path program() {
    auto folder = fs::read_symlink("/proc/self/exe").parent_path();
    for (int up = 0; up < 3 && !fs::is_regular_file(folder / "sidecar"); ++up) folder = folder.parent_path();
    return folder / "sidecar";
}
} // namespace

folder::folder() {
    std::string name = (fs::temp_directory_path() / "sidecar-XXXXXX").string();
    if (!::mkdtemp(name.data())) throw std::runtime_error("mkdtemp");
    path = name;
}

folder::~folder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
}

std::string folder::write(const std::string& text) const {
    const auto file = path / "sidecar.yaml";
    std::ofstream(file) << text;
    return file.string();
}

process::process(std::vector<std::string> arguments, const fs::path& directory, std::string variable) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
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
    for (char** each = environ; *each != nullptr; ++each) environment.push_back(*each);
    environment.push_back(nullptr);
    const int error = ::posix_spawn(&id_, path.c_str(), &actions, nullptr, argv.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(ends[1]);
    if (error == 0) return;
    ::close(output_);
    throw std::runtime_error("the program must be built before: " + path);
}

process::~process() {
    if (id_ > 0) {
        ::kill(id_, SIGKILL);
        ::waitpid(id_, nullptr, 0);
    }
    ::close(output_);
}

std::size_t process::resident_bytes() const { return pages(1) * static_cast<std::size_t>(::getpagesize()); }
std::size_t process::data_bytes() const { return pages(5) * static_cast<std::size_t>(::getpagesize()); }

std::size_t process::descriptors() const {
    const fs::directory_iterator all("/proc/" + std::to_string(id_) + "/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

milliseconds process::cpu_time() const {
    std::ifstream in("/proc/" + std::to_string(id_) + "/stat");
    std::string skipped;
    for (int i = 0; i < 13; ++i) in >> skipped; // the name has no blank
    long user = 0, system = 0;
    in >> user >> system;
    return milliseconds((user + system) * 1000 / ::sysconf(_SC_CLK_TCK));
}

std::size_t process::pages(int column) const {
    std::ifstream in("/proc/" + std::to_string(id_) + "/statm");
    std::size_t value = 0;
    for (int i = 0; i <= column; ++i) in >> value;
    return in ? value : 0;
}

bool process::is_alive() const {
    siginfo_t how{};
    return ::waitid(P_PID, static_cast<id_t>(id_), &how, WEXITED | WNOHANG | WNOWAIT) == 0 && how.si_pid == 0;
}

void process::limit(int resource, rlim_t most) const {
    rlimit now{};
    ::prlimit(id_, static_cast<__rlimit_resource>(resource), nullptr, &now);
    now.rlim_cur = most;
    if (::prlimit(id_, static_cast<__rlimit_resource>(resource), &now, nullptr) != 0)
        throw std::runtime_error("prlimit");
}

void process::signal(int number) const { ::kill(id_, number); }

void process::halt() const {
    signal(SIGSTOP);
    siginfo_t how{};
    ::waitid(P_PID, static_cast<id_t>(id_), &how, WSTOPPED);
}

void process::go_on() const { signal(SIGCONT); }

const std::string& process::await(std::string_view text) {
    const auto give_up_at = steady_clock::now() + patience;
    while (text_.find(text) == std::string::npos)
        if (!read_some() || steady_clock::now() > give_up_at)
            throw std::runtime_error("the program does not say '" + std::string(text) + "', but: " + text_);
    return text_;
}

std::string process::await_line(std::string_view text) {
    const auto at = await(text).find(text);
    while (text_.find('\n', at) == std::string::npos)
        if (!read_some()) break;
    return text_.substr(at, text_.find('\n', at) - at);
}

void process::read_for(milliseconds time) {
    const auto until = steady_clock::now() + time;
    for (auto left = time; left.count() > 0;) {
        if (!read_some(left)) return;
        left = std::chrono::ceil<milliseconds>(until - steady_clock::now());
    }
}

int process::exit_code(milliseconds within) {
    const auto give_up_at = steady_clock::now() + within;
    while (read_some()) {
        if (steady_clock::now() < give_up_at) continue;
        ::kill(id_, SIGKILL);
        break;
    }
    int how = 0;
    ::waitpid(std::exchange(id_, -1), &how, 0);
    return WIFEXITED(how) ? WEXITSTATUS(how) : -WTERMSIG(how);
}

bool process::read_some(milliseconds within) {
    pollfd watched{output_, POLLIN, 0};
    if (::poll(&watched, 1, static_cast<int>(within.count())) <= 0) return true;
    char bytes[4096];
    const auto got = ::read(output_, bytes, sizeof bytes);
    if (got > 0) text_.append(bytes, static_cast<std::size_t>(got));
    return got > 0;
}

std::uint16_t free_port() { return listener().port(); }

std::string quick_to_end(std::uint16_t admin_port, std::uint16_t port) {
    return "listen: {address: 127.0.0.1:" + std::to_string(port) + "}\n" +
           "admin: {address: 127.0.0.1:" + std::to_string(admin_port) + "}\n" +
           "workers: 1\ndrain: {accept_for: 0s, timeout: 1s}\n";
}

} // namespace harness
