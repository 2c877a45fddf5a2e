#include "proxy/data_plane/tunnel.hpp"

#include <cstdint>

namespace sidecar {

namespace {

struct both_ways {
    worker_state& worker;
    milliseconds silence_max;
    time_point moved_at; // either way
    bool broken = false;
    bool cut = false; // by one side's reset, before its end
};

void break_off(both_ways& all, stream& from, stream& to) noexcept {
    all.broken = true;
    all.cut = all.cut || from.is_reset() || to.is_reset();
    from.cancel_waits();
    to.cancel_waits();
}

// One direction. Its end is passed on when all before it has been; what breaks it ends the other, too. A side that is
// gone takes nothing more, but what it said before still goes on, as far as it is taken at once.
task<> pump(both_ways& all, stream& from, stream& to, buffer& through, std::uint64_t& bytes) {
    waiter turn(all.worker.timers);
    for (int reads = 1; !all.broken && !all.worker.cutting; ++reads) {
        if (to.is_reset()) { // what it said is the other direction's
            all.cut = true;
            to.cancel_waits();
            co_return;
        }
        if (to.is_gone() && through.empty()) co_return; // a Unix socket tells of it
        if (!through.empty()) {
            outgoing next{through.data(), {}};
            auto writing =
                finish_writing(to, next, all.worker.timers, from.is_reset() ? milliseconds(0) : all.silence_max);
            const auto end = co_await std::move(writing);
            const auto written = through.data().size() - next.size();
            through.consume(written);
            bytes += written;
            if (end == write_end::timed_out || (end == write_end::cancelled && from.is_reset())) break;
            if (end != write_end::done) continue;
            all.moved_at = all.worker.timers.now();
        }
        const auto read = from.read_some(space_for_body(through, false));
        if (read.status == io::done) {
            through.commit(read.bytes);
            all.moved_at = all.worker.timers.now();
            if (reads % 16 == 0) co_await turn.yield();
            continue;
        }
        if (read.status == io::end) {
            to.end_writing();
            co_return;
        }
        if (read.status == io::error || from.is_reset()) break;
        through.release(); // who waits holds none
        // Silence counts while the other way is silent, too.
        const auto woken = co_await from.readable(all.moved_at + all.silence_max);
        if (woken == wake::deadline && all.worker.timers.now() - all.moved_at >= all.silence_max) break;
    }
    break_off(all, from, to);
}

// What one direction throws (out of memory) must not leave the other waiting for it.
task<> to_its_end(task<> one, both_ways& all, stream& from, stream& to) {
    try {
        co_await one;
    } catch (...) {
        all.cut = true;
        break_off(all, from, to);
        throw;
    }
}

} // namespace

task<> tunnel(request_context& r, upstream_connection& backend, buffer downward) {
    both_ways all{r.worker, r.downstream().tunnel_timeout, r.now()};
    // Bytes that the client sent behind its request belong to the tunnel.
    auto& client = r.client;
    auto& link = backend.link;
    auto up = to_its_end(pump(all, client, link, r.received, r.record.bytes_from_client), all, client, link);
    auto down = to_its_end(pump(all, link, client, downward, r.record.bytes_to_client), all, link, client);
    client.tie(link, stream::tie_on::reset); // who has ended its side may still be reset
    link.tie(client, stream::tie_on::reset);
    join both(up, down);
    co_await both;
    client.untie();
    link.untie();
    if (r.worker.cutting) r.record.fail(failure_reason::drain_timeout);
    if (!all.cut) co_return;
    client.reset();
    link.reset();
}

} // namespace sidecar
