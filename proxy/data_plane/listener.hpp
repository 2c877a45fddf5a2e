// One listening socket of any family, on Asio. One thread.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <functional>

namespace sidecar {

class listener {
public:
    using accepted = std::function<void(int descriptor, const sockaddr_storage& peer)>;

    // Takes the listening socket over. Accepted descriptors are non-blocking, and the callee's.
    listener(boost::asio::io_context&, int listening_socket, accepted);
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    // All who are waiting now.
    void accept_all();
    // Waits for clients again, if an allocation that failed has ended that.
    void revive();

private:
    void wait();
    bool accept_one();

    // Asio has no protocol for "any": it only waits here, and asks nothing of the socket.
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer pause_;
    accepted accepted_;
    bool paused_ = false;
    bool waiting_ = false;
};

} // namespace sidecar
