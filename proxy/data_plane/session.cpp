#include "proxy/data_plane/session.hpp"

#include "proxy/data_plane/exchange.hpp"

#include <arpa/inet.h>

#include <array>
#include <cstring>
#include <exception>
#include <utility>

namespace sidecar {

task<> session::serve() {
    try {
        co_await serve_all();
    } catch (const std::exception& e) { // out of memory: this connection's end, not the worker's
        client.reset();
        context_.common.log.line(log_level::error, "connection ended", {{"error", std::string_view(e.what())}});
    }
    client.close();
    context_.ended(*this);
}

task<> session::serve_all() {
    for (bool first = true;; first = false) {
        const bool came = co_await wait_for_request(first);
        if (!came) co_return;
        exchange::after after{};
        {
            exchange one(context_, *this);
            after = co_await one.run();
        }
        if (after == exchange::after::reset) client.reset();
        if (after == exchange::after::linger) co_await linger();
        if (after != exchange::after::keep) co_return;
        // A pipelined request waits until others have had their turn.
        if (!received.empty()) co_await yield();
    }
}

session::session(worker_context& context, const sockaddr_storage& peer, admission admitted)
    : waiter(context.loop),
      received(context.buffers),
      context_(context),
      admission_(admitted),
      life_(serve()) {
    std::memcpy(&peer_, &peer, sizeof peer_);
    context_.metrics.connections_accepted.add();
    context_.metrics.connections_open.add();
}

session::~session() { context_.metrics.connections_open.subtract(); }

void session::start(int descriptor) {
    if (client.open(context_.loop, descriptor, this))
        life_.start();
    else
        context_.ended(*this);
}

task<bool> session::wait_for_request(bool first) {
    if (!received.empty()) co_return true;
    received.release();
    const auto settings = context_.current_settings();
    const auto& limits = settings->values.downstream;
    // When accepting has ended, too: who was told that the connection stays, or has just connected, may be sending.
    const auto usual = first ? limits.header_timeout : limits.idle_timeout;
    const auto until = context_.loop.now() + (context_.accepting ? usual : limits.linger_timeout);
    idle_ = true;
    auto woken_by = woken::by_event;
    while (idle_ && woken_by == woken::by_event && !client.may_read() && !client.is_reset())
        woken_by = co_await wait_until(until);
    const bool ending = !std::exchange(idle_, false);
    if (client.is_reset() || (!ending && !client.may_read())) co_return false;
    // When a drain ends it, a request may have come in this very moment: it is still served.
    received.reserve(buffer_pool::small_bytes);
    const auto read = client.read(received.space());
    received.commit(read.bytes);
    if (read.status == io::again && (first || !ending)) co_return co_await wait_for_request(first);
    co_return read.status == io::done;
}

void session::end_if_idle() {
    if (!idle_) return;
    idle_ = false;
    wake_later();
}

// The client may still be sending, and a close with bytes unread would be a reset that overtakes the answer.
task<> session::linger() {
    if (client.end_seen() && !client.may_write()) co_return;
    client.end_writing();
    const auto settings = context_.current_settings();
    const auto until = context_.loop.now() + settings->values.downstream.linger_timeout;
    std::size_t left = settings->values.downstream.linger_bytes_max;
    received.consume(received.data().size());
    received.reserve(buffer_pool::small_bytes);
    while (context_.loop.now() < until) {
        if (!client.may_read()) {
            const auto woken_by = co_await wait_until(until);
            if (woken_by == woken::by_deadline) break;
            continue;
        }
        const auto read = client.read(received.space());
        if (read.status == io::again) continue;
        if (read.status != io::done || read.bytes > left) break;
        left -= read.bytes;
    }
}

const std::string& session::peer_address() {
    if (!peer_address_.empty()) return peer_address_;
    std::array<char, INET6_ADDRSTRLEN> text{};
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&peer_);
    const auto family = peer_.sin6_family;
    const void* address = family == AF_INET6 ? static_cast<const void*>(&peer_.sin6_addr) : &v4->sin_addr;
    if (::inet_ntop(family, address, text.data(), text.size())) peer_address_ = text.data();
    return peer_address_;
}

} // namespace sidecar
