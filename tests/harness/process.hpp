// The program itself, as a process of a test: arguments, output, exit code, signals, and what it uses. It is built
// beside the tests. What does not happen within the tests' patience is thrown, with the output.
#pragma once

#include "tests/harness/patience.hpp"

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

using std::chrono::milliseconds;

// A folder of its own, gone with it.
struct folder {
    folder();
    ~folder();
    folder(const folder&) = delete;
    folder& operator=(const folder&) = delete;

    std::string write(const std::string& text) const; // sidecar.yaml, and where it is

    std::filesystem::path path;
};

class process {
public:
    // `variable`: NAME=VALUE, beside those of the test itself.
    explicit process(std::vector<std::string> arguments, const std::filesystem::path& directory = "/",
                     std::string variable = "");
    ~process(); // killed, if it runs
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    std::size_t resident_bytes() const; // 0: it has ended
    std::size_t data_bytes() const;     // that it may write to: what RLIMIT_DATA bounds
    std::size_t descriptors() const;
    milliseconds cpu_time() const;
    bool is_alive() const;

    void limit(int resource, rlim_t most) const; // from now on
    void signal(int number) const;
    // All its threads stand still until it goes on: what happens meanwhile comes to it at once.
    void halt() const;
    void go_on() const;

    // Its output so far, once it holds this.
    const std::string& await(std::string_view text);
    // The rest of the first line that holds this, from there on.
    std::string await_line(std::string_view text);
    const std::string& output() const { return text_; }
    // Lets this time pass; what it says meanwhile is read, so that it never waits for that.
    void read_for(milliseconds time);
    // All of its output is read, and it has ended. Below zero: by that signal.
    int exit_code(milliseconds within = patience);

private:
    bool read_some(milliseconds within = milliseconds{100}); // false: its end
    std::size_t pages(int column) const;

    pid_t id_ = -1;
    int output_ = -1;
    std::string text_;
};

std::uint16_t free_port();
// A configuration that drains within a second.
std::string quick_to_end(std::uint16_t admin_port, std::uint16_t port = 0);

} // namespace harness
