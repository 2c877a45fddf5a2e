// One listening socket of any family, on Asio. One thread.
#pragma once

#include "proxy/data_plane/handler_memory.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/socket.h>

#include <functional>

namespace sidecar {

class listener {
public:
    using accepted = std::function<void(int descriptor, const sockaddr_storage& peer)>;

    // Takes the listening socket over. Accepted descriptors are non-blocking, and the callee's, unless it throws
    // bad_alloc.
    listener(boost::asio::io_context&, int listening_socket, accepted);
    listener(const listener&) = delete;
    listener& operator=(const listener&) = delete;

    // Accepts all who are waiting now, and then nobody. It stays where it is: the end of a wait may be on its way to
    // it.
    void end();
    // Now and then: waits for clients again, if that was lost when there was no memory.
    void revive();

private:
    void wait();
    void accept_some();
    bool accept_one();

    handler_memory memory_;
    boost::asio::posix::stream_descriptor socket_;
    boost::asio::steady_timer pause_;
    accepted accepted_;
    bool paused_ = false;
    bool waiting_ = false;
};

} // namespace sidecar
