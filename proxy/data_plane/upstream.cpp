#include "proxy/data_plane/upstream.hpp"

#include <boost/asio/bind_allocator.hpp>

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>
#include <utility>

namespace sidecar {

using namespace std::chrono_literals;

namespace {

// The pause between two tries to connect doubles, up to circuit_breaker::pause_max.
constexpr std::chrono::milliseconds pause_first{10};

// Until the end of the scope the client's leaving ends the waits of `other`.
class tied {
public:
    tied(stream& client, stream& other, const settings& config) noexcept : client_(client) {
        client.tie(other, leaving(config));
    }
    ~tied() { client_.untie(); }
    tied(const tied&) = delete;
    tied& operator=(const tied&) = delete;

private:
    stream& client_;
};

// A line for whoever reads at log.level debug; where nobody does, a comparison. There may not be memory for it.
template <class Add>
void tell(worker_log& lines, std::string_view of, const Add& add) noexcept {
    if (!lines.explains()) return;
    try {
        auto line = lines.begin(log_level::debug, of);
        add(line);
        lines.push(line);
    } catch (const std::bad_alloc&) {
        return;
    }
}

} // namespace

// One request that waits. Its place comes to it, or a connection that has just become idle.
struct upstream::place_in_line {
    place_in_line(upstream& in, upstream_lease& of, reuse allowed) : pool(in), lease(of), how(allowed) {
        pool.line_.push_back(this);
        pool.metrics_.upstream_pending.set(pool.line_.size());
    }
    // Also when the waiting coroutine is destroyed.
    ~place_in_line() { leave(); }
    place_in_line(const place_in_line&) = delete;
    place_in_line& operator=(const place_in_line&) = delete;

    void leave() noexcept {
        std::erase(pool.line_, this);
        pool.metrics_.upstream_pending.set(pool.line_.size());
    }

    upstream& pool;
    upstream_lease& lease;
    reuse how;
    upstream_lease given; // in place of `lease`
};

upstream_lease upstream::take_idle(reuse how, const settings& config) {
    if (!line_.empty()) return nullptr; // those who wait are first
    const auto now = timers_.now();
    while (how != reuse::never && !idle_.empty()) {
        if (how == reuse::if_just_used && now - idle_.back()->used_at_ > config.values.upstream.reuse_for_writes)
            return nullptr;
        // One that has just been looked at, since it was given back, need not be asked; but for what can't be sent
        // again, any end that may be on its way counts. Bytes of nobody's response end it, too.
        const auto seen =
            how == reuse::always && set_.sees_now()
                ? std::find_if(idle_.rbegin(), idle_.rend(), [](const auto& each) { return each->link.was_quiet(); })
                : idle_.rend();
        const bool was_seen = seen != idle_.rend();
        const auto taken = was_seen ? std::prev(seen.base()) : std::prev(idle_.end());
        auto lease = std::move(*taken);
        idle_.erase(taken);
        metrics_.upstream_idle.set(idle_.size());
        const bool is_too_old = idle_until(*lease) <= now;
        if (is_too_old || (!was_seen && !lease->link.is_quiet())) {
            tell_closed(*lease, is_too_old ? "idle_timeout" : "by_backend");
            continue;
        }
        lease->link.rest(nullptr);
        count_reuse(*lease);
        return lease;
    }
    return nullptr;
}

task<failure_reason> upstream::connect(reuse how, stream& client, const settings& config, upstream_lease& into,
                                       time_to_connection& spent) {
    into = std::make_unique<upstream_connection>(*this);
    auto began = timers_.now();
    if (breaker_.is_probed()) {
        const auto found = co_await wait_for_probe(client, config, *into);
        spent.connecting += timers_.now() - began;
        if (found != failure_reason::none) co_return found;
        began = timers_.now();
    }
    if (!take_place(*into)) {
        const auto waited = co_await wait_for_place(how, client, config, into);
        spent.in_line += timers_.now() - began;
        if (waited != failure_reason::none || into->reused) co_return waited;
        began = timers_.now();
    }
    const auto reached = co_await reach(client, config, *into);
    spent.connecting += timers_.now() - began;
    co_return reached;
}

bool upstream::take_place(upstream_connection& one) {
    if (!line_.empty()) return false;
    if (open_ >= open_max_) { // of now, whatever the request's own settings
        if (idle_.empty()) return false;
        close_least_used("makes_room");
    }
    one.has_place_ = true;
    metrics_.upstream_open.set(++open_);
    return true;
}

task<failure_reason> upstream::wait_for_place(reuse how, stream& client, const settings& config, upstream_lease& into) {
    if (line_.size() >= config.upstream_pending_max) {
        metrics_.limits_hit[limit::upstream_pending].add();
        co_return failure_reason::pending_limit;
    }
    metrics_.limits_hit[limit::upstream_connections].add();
    tell_line("joined", std::chrono::nanoseconds(0), {});
    const auto began = timers_.now();
    place_in_line place(*this, into, how);
    const tied while_waiting(client, into->link, config);
    const auto woken = co_await into->link.reader().until(began + config.values.upstream.queue_timeout);
    place.leave();
    const auto waited = timers_.now() - began;
    metrics_.upstream_wait.observe(waited);
    auto end = failure_reason::none;
    if (client.has_left(leaving(config)))
        end = failure_reason::client_gone; // what it was given goes to the next
    else if (woken == wake::deadline && !into->has_place_ && !place.given)
        end = failure_reason::queue_timeout;
    tell_line("left", waited, end != failure_reason::none ? to_string(end) : place.given ? "connection" : "place");
    if (end == failure_reason::queue_timeout) metrics_.limits_hit[limit::queue_timeout].add();
    if (place.given && end == failure_reason::none && !place.given->link.is_quiet()) { // no longer: its place will do
        std::swap(into->has_place_, place.given->has_place_);
        tell_closed(*place.given, "by_backend");
    } else if (place.given) {
        into = std::move(place.given);
        if (end == failure_reason::none)
            count_reuse(*into);
        else
            tell_closed(*into, to_string(end));
    }
    co_return end;
}

// Whoever waits longest has it.
void upstream::place_is_free() noexcept {
    metrics_.upstream_open.set(--open_);
    fill_places();
}

void upstream::fill_places() noexcept {
    while (!line_.empty() && open_ < open_max_) {
        auto& next = *line_.front();
        line_.pop_front();
        next.lease->has_place_ = true;
        metrics_.upstream_open.set(++open_);
        next.lease->link.reader().resume_later(wake::ready);
    }
}

bool upstream::is_present(const upstream_connection& one) const noexcept { return one.generation_ == generation_; }

task<failure_reason> upstream::wait_for_probe(stream& client, const settings& config, upstream_connection& into) {
    const tied while_probed(client, into.link, config);
    const bool may_try = co_await breaker_.wait_for_probe(into.link.reader(), config.values.upstream.connect_retry);
    if (client.has_left(leaving(config))) co_return failure_reason::client_gone;
    co_return may_try ? failure_reason::none : failure_reason::upstream_connecting_failed_fast;
}

task<failure_reason> upstream::reach(stream& client, const settings& config, upstream_connection& into) {
    if (config.upstream_addresses != addresses_) into.generation_ = 0; // of a reload before: it is not kept
    if (breaker_.is_probed() && is_present(into)) {
        const auto waited = co_await wait_for_probe(client, config, into);
        if (waited != failure_reason::none) co_return waited;
    }
    const auto retry = config.values.upstream.connect_retry;
    const tied while_connecting(client, into.link, config);
    circuit_breaker::trying trying(breaker_, is_present(into) && breaker_.is_open(retry));
    const auto began = timers_.now();
    const auto give_up_at = began + retry;
    for (auto pause = pause_first;; pause = std::min(pause * 2, circuit_breaker::pause_max)) {
        for (const auto& address : config.upstream_addresses) {
            const bool connected = co_await connect_once(address, config.values.upstream.connect_timeout, into);
            if (client.has_left(leaving(config))) co_return failure_reason::client_gone;
            if (!connected) continue;
            if (is_present(into)) breaker_.succeeded();
            metrics_.upstream_connects.add();
            metrics_.upstream_connect.observe(timers_.now() - began);
            tell_opened(into, address, timers_.now() - began);
            co_return failure_reason::none;
        }
        metrics_.upstream_connect_failures.add();
        tell_failed(config);
        if (is_present(into)) breaker_.failed(began, retry);
        trying.failed();
        into.link.close();
        const auto next_try_at = timers_.now() + pause;
        if (trying.is_probe() || next_try_at >= give_up_at) co_return failure_reason::upstream_unreachable;
        co_await into.link.reader().until(next_try_at);
        if (client.has_left(leaving(config))) co_return failure_reason::client_gone;
    }
}

task<bool> upstream::connect_once(const socket_address& address, milliseconds timeout, upstream_connection& into) {
    into.link.close();
    const int descriptor = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    metrics_.connect_errno.set(static_cast<std::uint64_t>(descriptor < 0 ? errno : 0));
    if (descriptor < 0) co_return false; // out of descriptors: like a backend that can't be reached
    if (address.storage.ss_family != AF_UNIX) {
        const int one = 1;
        ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    const int begun = ::connect(descriptor, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
    if (begun != 0 && errno != EINPROGRESS) { // EAGAIN of a Unix socket: its backlog is full
        metrics_.connect_errno.set(static_cast<std::uint64_t>(errno));
        ::close(descriptor);
        co_return false;
    }
    if (into.link.open(descriptor)) co_return false;
    if (begun == 0) co_return true;
    const auto give_up_at = timers_.now() + timeout;
    while (!into.link.may_write() && !into.link.is_gone()) {
        const auto woken = co_await into.link.writable(give_up_at);
        if (woken == wake::ready || into.link.may_write()) continue;
        metrics_.connect_errno.set(ETIMEDOUT);
        co_return false;
    }
    const auto error = into.link.connect_error();
    metrics_.connect_errno.set(static_cast<std::uint64_t>(error));
    co_return error == 0;
}

void upstream::give_back(upstream_lease lease, const settings& config) {
    if (!is_present(*lease)) return close(std::move(lease), "address_changed");
    if (lease->link.end_seen() || lease->link.is_gone()) return close(std::move(lease), "by_backend");
    if (open_ > open_max_) return close(std::move(lease), "max_connections"); // lowered since
    lease->used_at_ = timers_.now();
    if (!line_.empty()) {
        auto& next = *line_.front();
        const bool will_do = next.how == reuse::always ||
                             (next.how == reuse::if_just_used && config.values.upstream.reuse_for_writes.count() > 0);
        if (!will_do || !lease->link.is_quiet()) // the place is the next one's
            return close(std::move(lease), will_do ? "by_backend" : "makes_room");
        line_.pop_front();
        auto& woken = *next.lease;
        next.given = std::move(lease);
        return woken.link.reader().resume_later(wake::ready);
    }
    if (idle_max_ == 0) return close(std::move(lease), "max_idle");
    if (idle_.size() >= idle_max_) close_least_used("max_idle");
    lease->link.rest(lease.get());
    if (idle_.empty()) close_at(idle_until(*lease));
    idle_.push_back(std::move(lease));
    metrics_.upstream_idle.set(idle_.size());
}

void upstream::use(const settings& config) {
    idle_max_ = config.upstream_idle_max;
    while (idle_.size() > idle_max_) close_least_used("max_idle");
    if (open_max_ != config.upstream_connections_max) {
        open_max_ = config.upstream_connections_max;
        while (open_ > open_max_ && !idle_.empty()) close_least_used("max_connections");
        fill_places();
    }
    if (idle_timeout_ != config.values.upstream.idle_timeout) {
        idle_timeout_ = config.values.upstream.idle_timeout;
        if (!idle_.empty()) close_at(idle_until(*idle_.front()));
    }
    if (addresses_ == config.upstream_addresses) return;
    addresses_ = config.upstream_addresses;
    ++generation_;
    breaker_.reset();
    close_all_idle("address_changed");
}

void upstream::close(upstream_lease lease, std::string_view why) {
    if (lease) tell_closed(*lease, why);
}

void upstream::close_idle() { close_all_idle("drain"); }

void upstream::close_all_idle(std::string_view why) {
    const auto closing = std::exchange(idle_, {});
    for (const auto& each : closing) tell_closed(*each, why);
    metrics_.upstream_idle.set(0);
}

void upstream::close_least_used(std::string_view why) {
    const auto closing = std::move(idle_.front());
    idle_.erase(idle_.begin());
    metrics_.upstream_idle.set(idle_.size());
    tell_closed(*closing, why);
}

void upstream::close_expired() {
    timers_.update_now();
    // The least recently used are first.
    const auto alive = std::find_if(idle_.begin(), idle_.end(),
                                    [&](const upstream_lease& each) { return idle_until(*each) > timers_.now(); });
    std::for_each(idle_.begin(), alive, [this](const auto& each) { tell_closed(*each, "idle_timeout"); });
    idle_.erase(idle_.begin(), alive);
    metrics_.upstream_idle.set(idle_.size());
    if (!idle_.empty()) close_at(idle_until(*idle_.front()));
}

time_point upstream::idle_until(const upstream_connection& one) const noexcept { return one.used_at_ + idle_timeout_; }

void upstream::close_at(time_point at) {
    expiry_.expires_at(at);
    expiry_.async_wait(boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
        if (!error) close_expired();
    }));
}

void upstream::drop(upstream_connection* ended) noexcept {
    tell_closed(*ended, "by_backend");
    std::erase_if(idle_, [&](const upstream_lease& each) { return each.get() == ended; });
    metrics_.upstream_idle.set(idle_.size());
}

void upstream::count_reuse(upstream_connection& one) {
    one.reused = true;
    metrics_.upstream_reuses.add();
    tell(lines_, "upstream connection",
         [&](json_line& line) { line.add_word("event", "reused").add("connection", one.number_); });
}

void upstream::tell_opened(const upstream_connection& one, const socket_address& to,
                           std::chrono::nanoseconds took) noexcept {
    tell(lines_, "upstream connection", [&](json_line& line) {
        line.add_word("event", "opened").add("connection", one.number_).add("address", to_string(to)).add("took", took);
    });
}

void upstream::tell_failed(const settings& config) noexcept {
    tell(lines_, "upstream connection", [&](json_line& line) {
        line.add_word("event", "failed");
        if (config.upstream_addresses.empty()) return line.add("error", "its name does not resolve"), void();
        const auto* why = ::strerrordesc_np(static_cast<int>(metrics_.connect_errno.get()));
        line.add("address", to_string(config.upstream_addresses.back())).add("error", why ? why : "unknown");
    });
}

void upstream::tell_closed(const upstream_connection& one, std::string_view why) noexcept {
    tell(lines_, "upstream connection", [&](json_line& line) {
        line.add_word("event", "closed").add("connection", one.number_).add_word("why", why);
    });
}

void upstream::tell_line(std::string_view event, std::chrono::nanoseconds waited, std::string_view why) noexcept {
    tell(lines_, "upstream line", [&](json_line& line) {
        line.add_word("event", event).add("waiting", std::uint64_t{line_.size()});
        if (!why.empty()) line.add("waited", waited).add_word("why", why);
    });
}

upstream::upstream(boost::asio::io_context& context, readiness_set& set, timer_queue& timers, worker_metrics& metrics,
                   worker_log& lines)
    : set_(set),
      timers_(timers),
      metrics_(metrics),
      lines_(lines),
      expiry_(context),
      breaker_(timers) {}

upstream::~upstream() { idle_.clear(); } // while all else still stands

upstream_connection::upstream_connection(upstream& pool)
    : link(pool.set_, pool.timers_),
      pool_(pool),
      number_(++pool.made_),
      generation_(pool.generation_) {}

upstream_connection::~upstream_connection() {
    link.close();
    if (has_place_) pool_.place_is_free();
}

void upstream_connection::stirred(stream&) {
    // EPOLLOUT alone says nothing: acknowledged bytes have made room.
    if (!link.is_quiet()) pool_.drop(this);
}

} // namespace sidecar
