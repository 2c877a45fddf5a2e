// The admin listener: a small HTTP server on the control thread, for probes, Prometheus and people. Bounded: so many
// connections, so large a head, so long a wait; when all connections are taken, the one that has waited longest makes
// room, so that idle ones can't keep a probe out.
#pragma once

#include "proxy/control_plane/admin_routes.hpp"
#include "sidecar/config.hpp"
#include "sidecar/log.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <cstdint>
#include <memory>

namespace sidecar {

class admin {
public:
    struct limits {
        std::size_t connections = 64;
        std::chrono::milliseconds timeout{10'000}; // for a request's head, and for an answer to be taken
    };

    // Binds; throws std::runtime_error with the address in its words, if it can't.
    admin(boost::asio::io_context&, const endpoint&, admin_source, log&, limits);
    ~admin();
    admin(const admin&) = delete;
    admin& operator=(const admin&) = delete;

    std::uint16_t port() const noexcept;

private:
    class running;
    std::shared_ptr<running> running_;
};

} // namespace sidecar
