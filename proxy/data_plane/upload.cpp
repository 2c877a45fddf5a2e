#include "proxy/data_plane/upload.hpp"

#include <algorithm>

namespace sidecar {

namespace {

constexpr int reads_in_a_row = 16; // then other connections have their turn

// The wait is over without what was waited for.
void interrupted(attempt& a, wake woken, failure_reason at_deadline, limit hit) noexcept {
    auto& r = a.request;
    if (woken == wake::deadline) {
        r.worker.metrics.limits_hit[hit].add();
        a.fail(at_deadline);
    } else if (r.client.is_gone()) {
        a.fail(failure_reason::client_gone, "within the request's body");
    } else if (a.is_response_complete && a.upload() == attempt::upload_state::under_way) {
        a.abandon_upload(); // a backend that has responded and gone wants no more of the request
    }
}

} // namespace

task<> upload(attempt& a) {
    auto& r = a.request;
    auto& backend = a.backend->link;
    const auto& config = r.downstream();
    bool large = false; // the last read filled its space
    waiter turn(r.worker.timers);
    for (int reads = 1;; ++reads) {
        auto write_by = r.now() + r.upstream().write_timeout;
        while (!a.unsent.empty()) {
            const auto written = backend.write_some(a.unsent);
            if (written.status == io::error) co_return a.abandon_upload(); // its response may be here all the same
            if (written.status == io::done) {
                r.from.upload_waits_since = time_point::max();
                write_by = r.now() + r.upstream().write_timeout;
                continue;
            }
            r.from.upload_waits_since = std::min(r.from.upload_waits_since, r.now());
            const auto woken = co_await backend.writable(write_by);
            if (woken != wake::ready)
                interrupted(a, woken, failure_reason::request_write_timeout, limit::write_timeout);
            if (a.over()) co_return;
        }
        if (r.body.done()) co_return a.upload_complete();

        if (!a.awaits_continue) a.body_due = r.now() + config.body_timeout;
        while (r.received.empty()) {
            if (!r.client.may_read()) {
                r.received.release(); // who waits holds none
                const auto woken = co_await r.client.readable(a.body_due);
                if (woken != wake::ready) interrupted(a, woken, failure_reason::body_timeout, limit::body_timeout);
                if (a.over()) co_return;
            }
            auto space = space_for_body(r.received, large);
            if (const auto left = r.body.bytes_left_by_length(); left && left < space.size())
                space = space.first(static_cast<std::size_t>(left));
            const auto read = r.client.read_some(space);
            if (read.status == io::done) {
                a.go_on_with_body();
                r.received.commit(read.bytes);
                r.record.bytes_from_client += read.bytes;
                large = read.bytes == space.size();
                break;
            }
            if (read.status == io::again) continue;
            // Who only ended its side still gets the response that has begun.
            if (read.status == io::end && a.response_begun) co_return a.abandon_upload();
            co_return a.fail(failure_reason::client_gone, "within the request's body");
        }
        if (reads % reads_in_a_row == 0) co_await turn.yield();
        if (a.over()) co_return;
        const auto piece = r.body.take(r.received.writable());
        // Done with, whatever becomes of it: what is left in there is the next request's. The bytes stay where they are
        // until they have been written.
        r.received.consume(piece.used);
        a.unsent = {piece.out, {}};
        if (r.body.failed() != body_reader::fault::none) {
            count_body_fault(r.worker.metrics, r.body.failed());
            co_return a.fail(failure_reason::bad_body);
        }
    }
}

} // namespace sidecar
