// The sockets on which clients are accepted: one for each worker, all on the same address (SO_REUSEPORT), so that the
// kernel deals the connections out and no worker waits for another. Of a Unix socket there is one, which they share.
#pragma once

#include "sidecar/config.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace sidecar {

// The file of a Unix socket, as long as this object lives; unless another has come in its place.
class socket_file {
public:
    socket_file() = default;
    explicit socket_file(std::string path);
    ~socket_file();
    socket_file(socket_file&&) noexcept;
    socket_file& operator=(socket_file&&) noexcept;

private:
    std::string path_; // empty: none
    std::uint64_t device_ = 0;
    std::uint64_t inode_ = 0;
};

class listeners {
public:
    // Binds and listens. Port 0: the kernel chooses, for all of them. Throws std::runtime_error with the address in
    // its words; also if another process listens there, which SO_REUSEPORT alone would not tell. The file of a Unix
    // socket that nobody listens on any more is taken away.
    listeners(const listen_config&, unsigned count);
    ~listeners(); // closes those not taken; takes a Unix socket's file away
    listeners(const listeners&) = delete;
    listeners& operator=(const listeners&) = delete;

    std::uint16_t port() const noexcept { return port_; } // 0: a Unix socket
    int take(std::size_t index);                          // the caller's from then on

private:
    void open_tcp(const listen_config&, unsigned count);
    void open_unix(const listen_config&, unsigned count);

    std::vector<int> sockets_;
    std::uint16_t port_ = 0;
    socket_file file_;
};

} // namespace sidecar
