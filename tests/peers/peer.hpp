// A proxy to compare with, in front of a backend on loopback, configured to change as little as it can. Started by us
// and ended with the scope.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

namespace peers {

class peer {
public:
    // `configuration`: with @LISTEN@, @BACKEND@ and @DIRECTORY@ in it. `command`: its words; the configuration's path
    // and the directory follow from @CONFIGURATION@ and @DIRECTORY@ in them.
    peer(const std::string& program, const std::string& configuration, const std::string& arguments,
         std::uint16_t backend);
    ~peer();
    peer(const peer&) = delete;
    peer& operator=(const peer&) = delete;

    std::uint16_t port() const noexcept { return port_; }

private:
    std::filesystem::path directory_;
    std::uint16_t port_ = 0;
    pid_t process_ = -1;
};

// Where the program is, if it is installed.
std::optional<std::string> find_program(const std::string& name);

extern const char* const nginx_configuration;
extern const char* const haproxy_configuration;

} // namespace peers
