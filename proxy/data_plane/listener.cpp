#include "proxy/data_plane/listener.hpp"

#include <boost/asio/bind_allocator.hpp>

#include <unistd.h>

#include <cerrno>
#include <new>
#include <system_error>
#include <utility>

namespace sidecar {

namespace {
constexpr int accepts_in_a_row = 32;                   // then those connected have their turn
constexpr std::chrono::milliseconds accept_pause{100}; // when the process is out of descriptors
} // namespace

listener::listener(boost::asio::io_context& context, readiness_set& set, int listening_socket, accepted to)
    : set_(set),
      socket_(listening_socket),
      pause_(context),
      accepted_(std::move(to)) {
    if (const auto error = set_.add(socket_, *this)) {
        ::close(socket_);
        throw std::system_error(error, "a listening socket can't be watched");
    }
}

listener::~listener() {
    if (socket_ < 0) return;
    set_.remove(socket_);
    ::close(socket_);
}

void listener::on_ready(std::uint32_t) {
    if (!pausing_) accept_some();
}

void listener::accept_some() {
    for (int i = 0; i < accepts_in_a_row; ++i) {
        if (accept_one()) continue;
        if (out_of_descriptors_) pause();
        return;
    }
    set_.tell_again(socket_);
}

void listener::pause() {
    try {
        pause_.expires_after(accept_pause);
        pause_.async_wait(boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
            if (error) return; // the worker may be gone
            pausing_ = false;
            revive();
        }));
        pausing_ = true;
    } catch (const std::bad_alloc&) {
        return; // the heartbeat revives it
    }
}

void listener::revive() {
    if (socket_ >= 0 && !pausing_) accept_some();
}

void listener::end() {
    while (accept_one()) continue;
    set_.remove(socket_);
    ::close(std::exchange(socket_, -1));
    pause_.cancel();
}

// False: nobody is waiting, or no descriptor is left.
bool listener::accept_one() {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int descriptor =
        ::accept4(socket_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
        try {
            accepted_(descriptor, peer);
        } catch (const std::bad_alloc&) {
            ::close(descriptor); // this client's end, not the worker's
        }
        return true;
    }
    out_of_descriptors_ = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    return errno == ECONNABORTED || errno == EINTR;
}

} // namespace sidecar
