// What systemd is told, seen from its end of the socket.
#include "proxy/control_plane/service_notify.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <filesystem>
#include <string>

namespace service_notify_test {

using namespace sidecar;
namespace fs = std::filesystem;

// The service manager's socket: a file, or a name in the abstract namespace.
class manager {
public:
    explicit manager(bool abstract_name) {
        std::string folder = (fs::temp_directory_path() / "notify-XXXXXX").string();
        folder_ = ::mkdtemp(folder.data());
        name = (abstract_name ? "@" : "") + (folder_ / "socket").string();
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::copy(name.begin(), name.end(), address.sun_path);
        if (abstract_name) address.sun_path[0] = '\0';
        const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
        REQUIRE(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), length) == 0);
    }
    ~manager() {
        ::close(fd_);
        fs::remove_all(folder_);
    }
    manager(const manager&) = delete;
    manager& operator=(const manager&) = delete;

    // One datagram; empty if none comes within a second.
    std::string told() const {
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, 1000) != 1) return {};
        std::array<char, 512> buffer{};
        const auto size = ::recv(fd_, buffer.data(), buffer.size(), 0);
        return {buffer.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
    }

    std::string name;

private:
    fs::path folder_;
    int fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
};

TEST_SUITE("service_notify") {
    TEST_CASE("what begins, changes and ends is told in the protocol's words") {
        for (const bool abstract_name : {false, true}) {
            CAPTURE(abstract_name);
            const manager systemd(abstract_name);
            const service_notify notify(systemd.name);
            CHECK_FALSE(notify.ready("serving 127.0.0.1:8080"));
            CHECK(systemd.told() == "READY=1\nSTATUS=serving 127.0.0.1:8080\n");
            CHECK_FALSE(notify.reloading(std::chrono::nanoseconds(1'234'567'890)));
            CHECK(systemd.told() == "RELOADING=1\nMONOTONIC_USEC=1234567\n");
            CHECK_FALSE(notify.stopping("draining"));
            CHECK(systemd.told() == "STOPPING=1\nSTATUS=draining\n");
        }
    }

    TEST_CASE("a status of two lines can't say more than a status") {
        const manager systemd(false);
        CHECK_FALSE(service_notify(systemd.name).ready("line 1\nSTOPPING=1"));
        CHECK(systemd.told() == "READY=1\nSTATUS=line 1 STOPPING=1\n");
    }

    TEST_CASE("without a socket nobody is told, and a wrong one is an error that ends nothing") {
        CHECK_FALSE(service_notify().ready(""));
        CHECK(service_notify("/nobody/is/here").ready("") == std::errc::no_such_file_or_directory);
        CHECK(service_notify("vsock:2:1234").ready("") == std::errc::invalid_argument);
        CHECK(service_notify("/" + std::string(200, 'x')).ready("") == std::errc::invalid_argument);
    }

    TEST_CASE("time is since boot, and goes on") {
        const auto before = since_boot();
        CHECK(before.count() > 0);
        CHECK(since_boot() >= before);
    }
}

} // namespace service_notify_test
