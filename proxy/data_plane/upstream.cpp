#include "proxy/data_plane/upstream.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace sidecar {

namespace {

bool same_addresses(const std::vector<socket_address>& a, const std::vector<socket_address>& b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const socket_address& x, const socket_address& y) {
        return x.length == y.length && std::memcmp(&x.storage, &y.storage, x.length) == 0;
    });
}

// Leaves the line also when the waiting coroutine is destroyed.
class place_in_line {
public:
    place_in_line(std::deque<waiter*>& line, waiter& self) : line_(line), self_(&self) { line_.push_back(self_); }
    ~place_in_line() { std::erase(line_, self_); }
    place_in_line(const place_in_line&) = delete;
    place_in_line& operator=(const place_in_line&) = delete;

private:
    std::deque<waiter*>& line_;
    waiter* self_;
};

// The pause between two tries to connect doubles from the first to the second.
constexpr std::chrono::milliseconds pause_first{10};
constexpr std::chrono::milliseconds pause_max{200};

} // namespace

upstream_lease upstream::take_idle() {
    while (!idle_.empty()) {
        auto lease = std::move(idle_.back());
        idle_.pop_back();
        metrics_.upstream_idle.set(idle_.size());
        // The event of its end may be on its way: ask the kernel. Bytes of nobody's answer end it too.
        if (lease->link.is_quiet()) {
            lease->reused = true;
            return lease;
        }
    }
    return nullptr;
}

task<connect_outcome> upstream::connect(waiter& self, event_target& owner, const connection& client,
                                        const settings& config, upstream_lease& into) {
    const auto give_up_at = loop_.now() + config.values.upstream.connect_retry;
    while (open_ >= config.upstream_connections_max) {
        if (!idle_.empty()) { // one that nobody uses makes room
            idle_.erase(idle_.begin());
            continue;
        }
        const place_in_line place(waiting_, self);
        const auto woken_by = co_await self.wait_until(give_up_at);
        if (client.is_reset()) co_return connect_outcome::client_gone;
        if (woken_by == woken::by_deadline) {
            metrics_.limits_hit[static_cast<std::size_t>(limit::upstream_connections)].add();
            co_return connect_outcome::no_place;
        }
    }
    for (auto pause = pause_first;; pause = std::min(pause * 2, pause_max)) {
        for (const auto& address : config.upstream_addresses) {
            const bool connected = co_await connect_once(self, owner, client, config, address, into);
            if (connected) co_return connect_outcome::connected;
            if (client.is_reset()) co_return connect_outcome::client_gone;
        }
        metrics_.upstream_connect_failures.add();
        if (loop_.now() + pause >= give_up_at) co_return connect_outcome::unreachable;
        const auto next_try_at = loop_.now() + pause;
        while (loop_.now() < next_try_at) {
            co_await self.wait_until(next_try_at);
            if (client.is_reset()) co_return connect_outcome::client_gone;
        }
    }
}

task<bool> upstream::connect_once(waiter& self, event_target& owner, const connection& client, const settings& config,
                                  const socket_address& address, upstream_lease& into) {
    const int descriptor = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) co_return false; // out of descriptors: like a backend that can't be reached
    const int one = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    auto lease = std::make_unique<upstream_connection>(*this);
    const auto* to = reinterpret_cast<const sockaddr*>(&address.storage);
    const int begun = ::connect(descriptor, to, address.length);
    const bool under_way = begun == 0 || errno == EINPROGRESS;
    if (!lease->link.open(loop_, descriptor, &owner) || !under_way) co_return false;
    metrics_.upstream_connects.add();
    const auto give_up_at = loop_.now() + config.values.upstream.connect_timeout;
    while (!lease->link.may_write() && !lease->link.is_reset()) {
        const auto woken_by = co_await self.wait_until(give_up_at);
        if (client.is_reset() || (woken_by == woken::by_deadline && !lease->link.may_write())) co_return false;
    }
    if (lease->link.connect_error() != 0) co_return false;
    into = std::move(lease);
    co_return true;
}

void upstream::give_back(upstream_lease lease, milliseconds idle_timeout) {
    // `open_` counts it until it is closed; a request that waits for a place makes room by closing an idle one.
    if (lease->generation_ != generation_ || idle_max_ == 0 || lease->link.end_seen()) return;
    if (idle_.size() >= idle_max_) idle_.erase(idle_.begin());
    lease->link.owned_by(lease.get());
    lease->idle_until_ = loop_.now() + idle_timeout;
    loop_.call_at(lease->idle_until_);
    idle_.push_back(std::move(lease));
    metrics_.upstream_idle.set(idle_.size());
    if (!waiting_.empty()) waiting_.front()->wake_later();
}

void upstream::use(const settings& config) {
    idle_max_ = config.upstream_idle_max;
    if (same_addresses(addresses_, config.upstream_addresses)) return;
    addresses_ = config.upstream_addresses;
    ++generation_;
    close_idle();
}

void upstream::close_idle() {
    idle_.clear();
    metrics_.upstream_idle.set(0);
}

void upstream::expire() {
    // The least recently used are first.
    const auto alive = std::find_if(idle_.begin(), idle_.end(),
                                    [&](const upstream_lease& each) { return each->idle_until_ > loop_.now(); });
    idle_.erase(idle_.begin(), alive);
    metrics_.upstream_idle.set(idle_.size());
    if (!idle_.empty()) loop_.call_at(idle_.front()->idle_until_);
}

void upstream::drop(upstream_connection* ended) noexcept {
    std::erase_if(idle_, [&](const upstream_lease& each) { return each.get() == ended; });
    metrics_.upstream_idle.set(idle_.size());
}

void upstream::connection_ended() noexcept {
    --open_;
    metrics_.upstream_open.set(open_);
    if (!waiting_.empty()) waiting_.front()->wake_later();
}

upstream::upstream(event_loop& loop, worker_metrics& metrics) : loop_(loop), metrics_(metrics) {}

upstream::~upstream() { idle_.clear(); } // while all else still stands

upstream_connection::upstream_connection(upstream& pool) : pool_(pool), generation_(pool.generation_) {
    ++pool_.open_;
    pool_.metrics_.upstream_open.set(pool_.open_);
}

upstream_connection::~upstream_connection() {
    link.close();
    pool_.connection_ended();
}

void upstream_connection::on_event(std::uint32_t) {
    // EPOLLOUT alone says nothing: acknowledged bytes have made room.
    if (!link.is_quiet()) pool_.drop(this);
}

} // namespace sidecar
