// The life of a request: read the head, decide, perform, finish.
#include "proxy/data_plane/exchange.hpp"

#include "proxy/data_plane/attempt.hpp"
#include "proxy/data_plane/local_reply.hpp"
#include "proxy/data_plane/tunnel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace sidecar {

task<exchange::after> exchange::run() {
    auto end = after::close;
    auto head = take_head();
    while (head == head_status::need_more) {
        const bool came = co_await more_of_head();
        if (!came) break;
        head = take_head();
    }
    if (head == head_status::complete) {
        decide();
        end = co_await perform();
    } else if (head != head_status::need_more) {
        end = co_await refuse(head);
    } else if (request_.record.failure == failure_reason::header_timeout) {
        end = co_await reply_failure(408, "the request's head did not arrive in time");
    }
    finish();
    co_return end;
}

exchange::exchange(worker_state& worker, session& of) : request_(worker, of), body_start_(worker.buffers) {
    request_.record.began = worker.timers.now();
    worker.metrics.requests_in_flight.add();
}

exchange::~exchange() { request_.worker.metrics.requests_in_flight.subtract(); }

// What is here of it. A head that is whole, or refused, has taken its bytes along.
head_status exchange::take_head() {
    auto& r = request_;
    const auto& limits = r.downstream();
    const auto status =
        read_request_head(r.received.data(), head_searched_,
                          {limits.header_bytes_max, limits.header_fields_max, limits.target_bytes_max}, r.head);
    if (status == head_status::need_more) return status;
    r.head.storage = r.received.take_front(r.head.consumed);
    r.record.bytes_from_client = r.head.consumed;
    return status;
}

// False: it did not come in time, or the client has gone.
task<bool> exchange::more_of_head() {
    auto& r = request_;
    const auto until = r.record.began + r.downstream().header_timeout;
    for (;;) {
        if (r.received.space().empty()) r.received.reserve(r.received.data().size() + buffer_pool::small_bytes);
        const auto read = r.client.read_some(r.received.space());
        r.received.commit(read.bytes);
        if (read.status == io::done) co_return true;
        if (read.status != io::again) {
            r.record.fail(failure_reason::client_gone, "within the head");
            co_return false;
        }
        const auto woken = co_await r.client.readable(until);
        if (r.client.is_reset()) {
            r.record.fail(failure_reason::client_gone, "within the head");
            co_return false;
        }
        if (woken != wake::deadline) continue;
        r.worker.metrics.limits_hit[limit::header_timeout].add();
        r.record.fail(failure_reason::header_timeout);
        co_return false;
    }
}

task<exchange::after> exchange::refuse(head_status why) {
    auto& hit = request_.worker.metrics.limits_hit;
    auto& record = request_.record;
    switch (why) {
    case head_status::header_too_large:
        hit[limit::header_bytes].add();
        record.fail(failure_reason::header_too_large);
        return reply_failure(431, "the header section is too large");
    case head_status::too_many_fields:
        hit[limit::header_fields].add();
        record.fail(failure_reason::too_many_fields);
        return reply_failure(431, "too many header fields");
    case head_status::target_too_long:
        hit[limit::target_bytes].add();
        record.fail(failure_reason::target_too_long);
        return reply_failure(414, "the URI is too long");
    case head_status::not_implemented:
        record.fail(failure_reason::not_implemented, request_.head.complaint);
        return reply_failure(501, "the transfer coding is not known");
    default:
        record.fail(failure_reason::bad_request, request_.head.complaint);
        return reply_failure(400, "bad request");
    }
}

void exchange::decide() {
    auto& r = request_;
    const auto present = r.worker.current();
    if (r.worker.overhead_turn++ % overhead_sample == 0) r.record.mark = std::chrono::steady_clock::now();
    if (r.config != present.config) r.config = present.config;
    r.decided = r.config->rules.decide(r.head.view(), present.known, r.now());
    if (r.worker.lines.explains())
        access_record::explain(r.worker, *r.config, r.head, r.decided, r.from.peer_address());
    r.body = body_reader(r.head.body, {r.downstream().chunk_line_bytes_max, r.downstream().trailer_bytes_max});
}

task<exchange::after> exchange::perform() {
    auto& r = request_;
    if (r.from.admitted() == session::admission::refuse) {
        r.worker.metrics.limits_hit[limit::connections].add();
        r.record.fail(failure_reason::connections_limit);
        return reply_failure(503, "too many connections");
    }
    if (const auto* own = std::get_if<local_reply>(&r.decided.action)) {
        r.record.kind = action_kind::reply;
        if (r.decided.reason == reason::status_path) r.record.fail(failure_reason::status_path);
        return reply(*own, persistence::keep_alive);
    }
    if (std::holds_alternative<augment>(r.decided.action)) r.record.kind = action_kind::augment;
    return forward_request();
}

// What is here already of a body that goes on. False: it is malformed.
bool exchange::take_body_start() {
    auto& r = request_;
    while (!r.received.empty() && !r.body.done()) {
        const auto piece = r.body.take(r.received.writable());
        body_start_.append(piece.out);
        r.received.consume(piece.used);
        r.record.bytes_from_client += piece.used;
        if (r.body.failed() == body_reader::fault::none) continue;
        count_body_fault(r.worker.metrics, r.body.failed());
        r.record.fail(failure_reason::bad_body);
        return false;
    }
    return true;
}

task<exchange::after> exchange::forward_request() {
    auto& r = request_;
    if (!take_body_start()) {
        co_return co_await reply_failure(400, "bad chunked body");
    }
    for (;;) {
        // Nothing of it has gone up. Of one that did not ask for this it goes up all the same, as without a proxy.
        if (leaving(*r.config) == stream::tie_on::end && r.client.has_left(stream::tie_on::end))
            co_return co_await after_failure(failure_reason::client_gone, false, false);
        upstream_lease backend;
        if (!take_kept_connection(backend)) {
            const auto failed = co_await connect(backend);
            if (failed != failure_reason::none) {
                backend.reset(); // another may have its place
                co_return co_await after_failure(failed, false, false);
            }
        }
        r.record.upstream_reused = backend->reused;
        attempt one(r, std::move(backend), changes_of_request(), body_start_.data());
        co_await one.run();
        if (one.switched) {
            one.head.release();
            auto tunnelling = tunnel(r, *one.backend, std::move(one.received));
            co_await std::move(tunnelling);
            r.worker.backend.close(std::move(one.backend), "tunnel_ended");
            co_return after::close;
        }
        if (one.precondition_failed) {
            conclude(one);
            auto replying =
                reply(error_reply(412, "the resource or its readiness is another"), persistence::keep_alive);
            co_return co_await std::move(replying);
        }
        if (one.failure == failure_reason::none) co_return conclude(one);
        if (may_retry(one)) {
            r.record.retried = true;
            r.worker.metrics.upstream_retries.add();
            r.worker.backend.close(std::move(one.backend), "dead");
            continue;
        }
        r.record.fail(one.failure, one.detail);
        // Nothing more of this exchange reaches it, and nothing of it reaches another.
        r.worker.backend.close(std::move(one.backend), to_string(one.failure));
        co_return co_await after_failure(one.failure, one.response_begun, one.would_look_whole());
    }
}

// Puma 5.6 responds to a request that it can't parse at once on a fresh connection, and on a kept one only by closing
// it after 20 s: what a backend might refuse to parse gets a fresh one.
reuse exchange::allowed_reuse() const noexcept {
    constexpr std::size_t target_bytes = 4096; // Puma takes 8 kB of path
    constexpr std::size_t head_bytes = 16'384; // and 80 kB of fields
    const auto& head = request_.head;
    if (head.odd_target || head.target.size() > target_bytes || head.bytes.size() > head_bytes) return reuse::never;
    if (request_.record.retried || head.upgrades_to_websocket) return reuse::never;
    if (request_.is_repeatable()) return reuse::always;
    return request_.upstream().reuse_for_writes.count() > 0 ? reuse::if_just_used : reuse::never;
}

bool exchange::take_kept_connection(upstream_lease& into) {
    auto& pool = request_.worker.backend;
    pool.use(*request_.worker.current_settings()); // the request's own may be those of a reload before
    into = pool.take_idle(allowed_reuse(), *request_.config);
    return into != nullptr;
}

task<failure_reason> exchange::connect(upstream_lease& into) {
    auto& r = request_;
    return r.worker.backend.connect(allowed_reuse(), r.client, *r.config, into, r.record.reaching);
}

request_changes exchange::changes_of_request() {
    auto& r = request_;
    const auto& config = r.config->values.forward;
    request_changes changes;
    changes.whole_and_unencoded = std::holds_alternative<augment>(r.decided.action);
    changes.backend_authority = r.config->upstream_authority;
    changes.additions = &config;
    if (config.x_forwarded_for) changes.client_address = r.from.peer_address();
    if (config.x_request_id && !r.head.view().find("x-request-id")) {
        if (r.record.request_id.empty()) r.record.request_id = r.worker.new_request_id();
        changes.new_request_id = r.record.request_id;
    }
    if (config.x_request_start) {
        const auto now = std::chrono::duration_cast<std::chrono::microseconds>(
            std::chrono::system_clock::now().time_since_epoch() - (r.now() - r.record.began));
        request_start_ = fmt::format("t={}.{:06}", now.count() / 1'000'000, now.count() % 1'000'000);
        changes.request_start = request_start_;
    }
    return changes;
}

// A kept connection died before the response's first byte: the backend had closed it.
bool exchange::may_retry(const attempt& failed) const noexcept {
    return request_.record.upstream_reused && !request_.record.retried && request_.is_repeatable() &&
           failed.failure == failure_reason::no_response;
}

// Both messages have passed, or the response has and the rest of the request is not wanted.
exchange::after exchange::conclude(attempt& done) {
    auto& pool = request_.worker.backend;
    if (!done.request_complete()) {
        pool.close(std::move(done.backend), "request_not_sent_whole");
        if (!request_.worker.cutting) return after::linger;
        return request_.record.fail(failure_reason::drain_timeout), after::reset;
    }
    // Older Pumas leave bytes of trailers for the next request.
    if (done.reusable && !request_.body.had_trailers())
        pool.give_back(std::move(done.backend), *request_.config);
    else
        pool.close(std::move(done.backend), "ended_by_response");
    return done.client_persistence == persistence::close ? after::linger : after::keep;
}

task<exchange::after> exchange::after_failure(failure_reason why, bool response_begun, bool would_look_whole) {
    auto& record = request_.record;
    record.fail(why);
    if (!response_begun) record.status = 0;
    const auto& config = request_.upstream();
    if (whose(why) == party::client && why != failure_reason::body_timeout && why != failure_reason::bad_body)
        co_return after::reset;
    // A body without a length of its own would look whole after an orderly end.
    if (response_begun) co_return would_look_whole || whose(why) == party::client ? after::reset : after::close;
    task<after> ending = [&] {
        switch (why) {
        case failure_reason::bad_body:
            return reply_failure(400, "bad chunked body");
        case failure_reason::body_timeout:
            return reply_failure(408, "the request's body did not arrive in time");
        case failure_reason::pending_limit:
        case failure_reason::queue_timeout:
            return reply_failure(503, "too many requests wait for the backend");
        case failure_reason::upstream_unreachable:
        case failure_reason::upstream_connecting_failed_fast:
            return reply_failure(config.unreachable == on_failure::answer ? 503 : 0, "the backend can't be reached");
        case failure_reason::no_response:
            return reply_failure(config.no_answer == on_failure::answer ? 502 : 0,
                                 "the backend closed without a response");
        case failure_reason::truncated_response:
            return reply_failure(502, "the backend closed within its response");
        case failure_reason::response_timeout:
        case failure_reason::response_body_timeout:
            return reply_failure(504, "the backend did not respond in time");
        case failure_reason::request_write_timeout:
            return reply_failure(504, "the backend takes no more of the request");
        default:
            return reply_failure(502, "the backend's response is malformed");
        }
    }();
    co_return co_await std::move(ending);
}

// `status` 0: the connection is closed without a reply.
task<exchange::after> exchange::reply_failure(int status, std::string_view what) {
    if (status == 0) co_return after::close;
    request_.record.kind = action_kind::error;
    const bool client_at_fault = status < 500 || status == 501;
    auto replying = reply(error_reply(status, what), client_at_fault ? persistence::close : persistence::keep_alive);
    co_return co_await std::move(replying);
}

task<exchange::after> exchange::reply(local_reply what, persistence wanted) {
    auto& r = request_;
    const bool keep = wanted == persistence::keep_alive && r.head.persistent() && !r.worker.draining &&
                      r.from.admitted() == session::admission::serve && body_will_be_discarded();
    r.record.status = what.status;
    buffer out(r.worker.buffers);
    write_local_reply(what, r.head, r.config->values.own_answers, keep ? persistence::keep_alive : persistence::close,
                      r.worker.http_date(), out);
    outgoing left{out.data(), {}};
    const auto size = left.size();
    r.client.write_some(left);
    auto end = write_end::done;
    if (!left.empty()) {
        auto writing = finish_writing(r.client, left, r.worker.timers, r.downstream().write_timeout);
        end = co_await std::move(writing);
    }
    r.record.bytes_to_client += size - left.size();
    if (end != write_end::done) co_return end == write_end::error ? after::close : after::reset;
    if (!keep) co_return after::linger;
    if (r.body.done()) co_return after::keep;
    co_return co_await discard_body();
}

// Whether the rest of the request's body is small enough to be read and thrown away.
bool exchange::body_will_be_discarded() const noexcept {
    const auto& r = request_;
    if (r.body.done()) return true;
    // Who waits for a 100 may now send the body or not; nobody can tell.
    if (r.head.expects_continue && !r.continued) return false;
    return r.body.bytes_left_by_length() <= r.downstream().drain_bytes_max;
}

task<exchange::after> exchange::discard_body() {
    auto& r = request_;
    const auto until = r.now() + r.downstream().body_timeout;
    std::size_t discarded = 0;
    while (!r.body.done()) {
        if (r.received.empty()) {
            r.received.reserve(buffer_pool::small_bytes);
            const auto read = r.client.read_some(r.received.space());
            if (read.status == io::again) {
                const auto woken = co_await r.client.readable(until);
                if (woken == wake::deadline || r.client.is_gone()) co_return after::linger;
                continue;
            }
            if (read.status != io::done) co_return after::close;
            r.received.commit(read.bytes);
        }
        const auto piece = r.body.take(r.received.writable());
        r.received.consume(piece.used);
        r.record.bytes_from_client += piece.used;
        discarded += piece.used;
        if (r.body.failed() != body_reader::fault::none || discarded > r.downstream().drain_bytes_max)
            co_return after::linger;
    }
    co_return after::keep;
}

void exchange::finish() {
    auto& r = request_;
    // It was not the client that went.
    if (r.worker.cutting && r.record.failure == failure_reason::client_gone)
        r.record.failure = failure_reason::drain_timeout;
    // A client that went before it had asked for anything leaves no line.
    if (r.head.method.empty() && r.record.status == 0) return;
    r.record.finish(r.worker, *r.config, r.head, r.decided, r.from.peer_address());
}

} // namespace sidecar
