// Where clients are accepted: over Unix sockets, too.
#include "proxy/control_plane/listeners.hpp"
#include "tests/proxy/control_tools.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <optional>
#include <stdexcept>

namespace listeners_test {

using namespace sidecar;
using namespace sidecar::testing;

struct place : temporary_directory {
    std::string socket = path / "sidecar.sock";

    listen_config values(unsigned mode = 0660) const {
        listen_config c;
        c.address = {"", 0, socket};
        c.socket_mode = mode;
        return c;
    }
    mode_t mode() const {
        struct stat found {};
        REQUIRE(::stat(socket.c_str(), &found) == 0);
        return found.st_mode & 0777;
    }
    // 0: there is somebody; or why not.
    int connect() const {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, socket.c_str(), socket.size());
        const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int refused = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address);
        const int error = refused == 0 ? 0 : errno;
        ::close(descriptor);
        return error;
    }
    std::string fault() const {
        try {
            const listeners again(values(), 1);
        } catch (const std::runtime_error& e) {
            return e.what();
        }
        return "";
    }
};

TEST_CASE("a Unix socket is shared by the workers, has the mode that was asked for, and is gone in the end") {
    const place here;
    const auto before = ::umask(077);
    for (const unsigned mode : {0660U, 0600U, 0777U}) {
        listeners at(here.values(mode), 3);
        CHECK(here.mode() == mode);
        CHECK(at.port() == 0);
        CHECK(here.connect() == 0);
        const int taken = at.take(0), other = at.take(2);
        const int client = ::accept(other, nullptr, nullptr);
        CHECK(client >= 0);
        for (const int each : {taken, other, client}) ::close(each);
    }
    ::umask(before);
    CHECK_FALSE(std::filesystem::exists(here.socket));
}

TEST_CASE("the socket of a process that was killed is replaced, one that is served is not") {
    const place here;
    std::optional<listeners> first(std::in_place, here.values(), 1);
    CHECK(here.fault() == "listen.address unix:" + here.socket + ": Address already in use");
    CHECK(here.connect() == 0);
    const auto kept = here.socket + ".kept";
    std::filesystem::create_hard_link(here.socket, kept); // survives the end
    first.reset();
    std::filesystem::rename(kept, here.socket);
    CHECK(here.connect() == ECONNREFUSED);
    const listeners next(here.values(), 1);
    CHECK(here.connect() == 0);
}

TEST_CASE("a file that is no socket stays, and is an error") {
    const place here;
    write_file(here.socket, "precious");
    CHECK(here.fault() == "listen.address unix:" + here.socket + ": is there already, and is not a socket");
    CHECK(std::filesystem::file_size(here.socket) == 8);
}

TEST_CASE("who ends takes only its own socket away") {
    const place here;
    std::optional<listeners> first(std::in_place, here.values(), 1);
    std::filesystem::remove(here.socket);
    const listeners next(here.values(), 1);
    first.reset();
    CHECK(here.connect() == 0);
}

TEST_CASE("a directory that is not there is named") {
    const place here;
    listen_config values = here.values();
    values.address.path = (here.path / "none" / "a.sock").string();
    CHECK_THROWS_WITH_AS(listeners(values, 1),
                         ("listen.address unix:" + values.address.path + ": No such file or directory").c_str(),
                         std::runtime_error);
}

} // namespace listeners_test
