// The program itself, as a process of a test: arguments, output, exit code, signals. It is built beside the tests.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar_process {

std::filesystem::path program();

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
    ~process(); // ended, if it runs
    process(const process&) = delete;
    process& operator=(const process&) = delete;

    void limit_descriptors(rlim_t most) const; // from now on
    std::size_t descriptors() const;
    void signal(int number) const;

    // Its output so far, once it holds this.
    const std::string& await(std::string_view text);
    // All of its output is read, and it has ended. Below zero: by that signal.
    int exit_code();
    const std::string& output() const { return text_; }

private:
    bool read_some(); // false: its end

    pid_t id_ = -1;
    int output_ = -1;
    std::string text_;
};

std::uint16_t free_port();
// A configuration that drains within a second.
std::string quick_to_end(std::uint16_t admin_port, std::uint16_t port = 0);

} // namespace sidecar_process
