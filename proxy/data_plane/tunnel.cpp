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

// One direction. Its end is passed on when all before it has been; what breaks it ends the other, too.
task<> pump(both_ways& all, stream& from, stream& to, buffer& through, std::uint64_t& bytes) {
    waiter turn(all.worker.timers);
    for (int reads = 1; !all.broken && !from.is_reset() && !to.is_reset(); ++reads) {
        outgoing next{through.data(), {}};
        const auto size = next.size();
        if (size != 0) {
            auto writing = finish_writing(to, next, all.worker.timers, all.silence_max);
            const auto end = co_await std::move(writing);
            bytes += size - next.size();
            if (end != write_end::done) break;
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
        if (read.status == io::error) break;
        // Silence counts while the other way is silent, too.
        const auto woken = co_await from.readable(all.moved_at + all.silence_max);
        if (woken == wake::cancelled) break;
        if (woken == wake::deadline && all.worker.timers.now() - all.moved_at >= all.silence_max) break;
    }
    all.broken = true;
    all.cut = all.cut || from.is_reset() || to.is_reset();
    from.cancel_waits();
    to.cancel_waits();
}

} // namespace

task<> tunnel(request_context& r, upstream_connection& backend, std::string_view behind_the_head) {
    both_ways all{r.worker, r.downstream().tunnel_timeout, r.now()};
    buffer downward(r.worker.buffers);
    downward.append(behind_the_head);
    // Bytes that the client sent behind its request belong to the tunnel.
    auto up = pump(all, r.client, backend.link, r.received, r.record.bytes_from_client);
    auto down = pump(all, backend.link, r.client, downward, r.record.bytes_to_client);
    r.client.tie(backend.link, stream::tie_on::reset); // who has ended its side may still be reset
    join both(up, down);
    co_await both;
    r.client.untie();
    if (r.worker.cutting) r.record.fail(failure_reason::drain_timeout);
    if (!all.cut) co_return;
    r.client.reset();
    backend.link.reset();
}

} // namespace sidecar
