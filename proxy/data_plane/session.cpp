#include "proxy/data_plane/session.hpp"

#include "proxy/data_plane/exchange.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

namespace sidecar {

task<> session::serve() {
    try {
        co_await serve_all();
    } catch (const std::exception& e) { // out of memory: this connection's end, not the worker's
        client.reset();
        say_ended(e.what());
    }
    client.close();
    ended_(*this);
}

// There may not even be memory for that.
void session::say_ended(std::string_view why) noexcept {
    try {
        worker_.common.log.line(log_level::error, "connection ended", {{"error", why}});
    } catch (const std::bad_alloc&) {
        return;
    }
}

task<> session::serve_all() {
    for (bool first = true;; first = false) {
        const bool came = co_await wait_for_request(first);
        if (!came) co_return;
        const auto after = co_await serve_one();
        if (after == exchange::after::reset) client.reset();
        if (after == exchange::after::linger) co_await linger();
        if (after != exchange::after::keep) co_return;
        // A pipelined request waits until others have had their turn.
        if (!received.empty()) co_await client.reader().yield();
    }
}

// In a frame of its own, so that a connection at rest holds none of an exchange's memory.
task<after_exchange> session::serve_one() {
    exchange one(worker_, *this);
    co_return co_await one.run();
}

session::session(worker_state& worker, const sockaddr_storage& peer, admission admitted,
                 std::function<void(session&)> ended)
    : client(worker.sockets, worker.timers),
      received(worker.buffers),
      worker_(worker),
      ended_(std::move(ended)),
      admission_(admitted),
      life_(serve()) {
    std::memcpy(&peer_, &peer, sizeof peer_);
    worker_.metrics.connections_accepted.add();
    worker_.metrics.connections_open.add();
}

session::~session() { worker_.metrics.connections_open.subtract(); }

void session::start(int descriptor) noexcept {
    if (client.open(descriptor)) {
        say_ended("it can't be watched: no memory, or fs.epoll.max_user_watches");
        return ended_(*this);
    }
    life_.start();
}

task<bool> session::wait_for_request(bool first) {
    if (client.is_reset()) co_return false;
    if (!received.empty()) co_return true;
    received.release();
    const auto& limits = worker_.current_settings()->values.downstream;
    // When accepting has ended, too: who was told that the connection stays, or has just connected, may be sending.
    const auto usual = first ? limits.header_timeout : limits.idle_timeout;
    const auto at_a_drain = limits.linger_timeout;
    auto until = worker_.timers.now() + (worker_.accepting ? usual : at_a_drain);
    for (;;) {
        idle_ = true;
        const auto woken = co_await client.readable(until);
        idle_ = false;
        if (client.is_reset() || (woken == wake::deadline && !client.may_read())) co_return false;
        // When a drain ends it, a request may have come in this very moment: it is still served.
        if (woken == wake::cancelled) client.is_quiet();
        received.reserve(buffer_pool::small_bytes);
        const auto read = client.read_some(received.space());
        received.commit(read.bytes);
        if (read.status != io::again) co_return read.status == io::done;
        received.release();
        if (woken != wake::cancelled) continue;
        if (!first) co_return false;
        until = std::min(until, worker_.timers.now() + at_a_drain);
    }
}

void session::end_if_idle() noexcept {
    if (idle_) client.reader().resume_later(wake::cancelled);
}

// The client may still be sending, and a close with bytes unread would be a reset that overtakes the response.
task<> session::linger() {
    if (client.is_gone()) co_return;
    client.end_writing();
    const auto& limits = worker_.current_settings()->values.downstream;
    const auto until = worker_.timers.now() + limits.linger_timeout;
    std::size_t left = limits.linger_bytes_max;
    received.clear();
    received.reserve(buffer_pool::small_bytes);
    for (;;) {
        const auto read = client.read_some(received.space());
        if (read.status == io::again) {
            const auto woken = co_await client.readable(until);
            if (woken == wake::deadline || client.is_gone()) co_return;
            continue;
        }
        if (read.status != io::done || read.bytes > left || worker_.timers.now() >= until) co_return;
        left -= read.bytes;
    }
}

const std::string& session::peer_address() {
    if (!peer_address_.empty()) return peer_address_;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&peer_);
    const void* address = nullptr;
    auto family = static_cast<int>(peer_.sin6_family);
    if (family == AF_INET) {
        address = &v4->sin_addr;
    } else if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&peer_.sin6_addr)) {
        family = AF_INET;
        address = &peer_.sin6_addr.s6_addr[12];
    } else if (family == AF_INET6) {
        address = &peer_.sin6_addr;
    }
    peer_address_ = address && ::inet_ntop(family, address, text.data(), text.size()) ? text.data() : "unix";
    return peer_address_;
}

} // namespace sidecar
