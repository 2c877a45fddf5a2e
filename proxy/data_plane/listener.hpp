// One listening socket of any family. One thread.
#pragma once

#include "proxy/data_plane/handler_memory.hpp"
#include "proxy/data_plane/readiness_set.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <cstdint>
#include <functional>

namespace sidecar {

class listener final : public readiness_set::member {
public:
    using accepted = std::function<void(int descriptor, const sockaddr_storage& peer)>;

    // Takes the listening socket over, which is non-blocking. Accepted descriptors are, too, and the callee's, unless
    // it throws bad_alloc. Throws std::system_error.
    listener(boost::asio::io_context&, readiness_set&, int listening_socket, accepted);
    ~listener();
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    // Accepts all who are waiting now, and then nobody. It stays where it is: the end of a pause may be on its way to
    // it.
    void end();
    // Now and then: accepts who waits, should the end of a pause have been lost when there was no memory.
    void revive();

private:
    void on_ready(std::uint32_t epoll_events) override;
    void accept_some();
    bool accept_one();
    void pause();

    readiness_set& set_;
    int socket_;
    handler_memory memory_;
    boost::asio::steady_timer pause_;
    accepted accepted_;
    bool out_of_descriptors_ = false; // or of the kernel's memory
    bool pausing_ = false;
};

} // namespace sidecar
