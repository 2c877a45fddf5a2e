#include "proxy/data_plane/listener.hpp"

#include <boost/asio/bind_allocator.hpp>

#include <unistd.h>

#include <cerrno>
#include <new>
#include <utility>

namespace sidecar {

namespace {
constexpr int accepts_in_a_row = 32;                   // then those connected have their turn
constexpr std::chrono::milliseconds accept_pause{100}; // when the process is out of descriptors
} // namespace

listener::listener(boost::asio::io_context& context, int listening_socket, accepted to)
    : socket_(context, listening_socket),
      pause_(context),
      accepted_(std::move(to)) {
    wait();
}

void listener::wait() {
    socket_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
                           if (error) return; // the worker may be gone
                           waiting_ = false;
                           accept_some();
                       }));
    waiting_ = true;
}

void listener::revive() {
    if (!waiting_ && socket_.is_open()) wait();
}

void listener::accept_some() {
    for (int i = 0; i < accepts_in_a_row && accept_one(); ++i) continue;
    if (!std::exchange(paused_, false)) return wait();
    pause_.expires_after(accept_pause);
    pause_.async_wait(boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
        if (error || !socket_.is_open()) return;
        waiting_ = false;
        wait();
    }));
    waiting_ = true;
}

void listener::end() {
    if (!socket_.is_open()) return;
    while (accept_one()) continue;
    boost::system::error_code ignored;
    socket_.close(ignored);
    pause_.cancel();
}

// False: nobody is waiting, or no descriptor is left.
bool listener::accept_one() {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    const int descriptor =
        ::accept4(socket_.native_handle(), reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (descriptor >= 0) {
        try {
            accepted_(descriptor, peer);
        } catch (const std::bad_alloc&) {
            ::close(descriptor); // this client's end, not the worker's
        }
        return true;
    }
    paused_ = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    return errno == ECONNABORTED || errno == EINTR;
}

} // namespace sidecar
