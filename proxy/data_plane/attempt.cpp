#include "proxy/data_plane/attempt.hpp"

#include "proxy/data_plane/download.hpp"
#include "proxy/data_plane/upload.hpp"

#include <utility>

namespace sidecar {

namespace {

// What one direction throws (out of memory) must not leave the other waiting for it.
task<> to_its_end(task<> one, attempt& of) {
    try {
        co_await one;
    } catch (...) {
        of.fail(failure_reason::client_gone, "an exception"); // it is rethrown, and ends the client's connection
        throw;
    }
}

} // namespace

attempt::attempt(request_context& of, upstream_lease on, const request_changes& changes, std::string_view body_start)
    : request(of),
      backend(std::move(on)),
      head(of.worker.buffers),
      received(of.worker.buffers),
      awaits_continue(of.head.expects_continue && of.head.has_body() && body_start.empty() && !of.continued) {
    write_request_head(of.head, changes, head);
    unsent = {head.data(), body_start};
}

task<> attempt::run() {
    auto& r = request;
    if (!backend->reused) r.record.mark = {}; // it waited for a connection
    backend->link.write_some(unsent);         // what is left, and what went wrong, is the upload's
    r.record.stop_own_time();
    download down(r, *this);
    if (unsent.empty() && r.body.done()) {
        upload_complete();
        if (!failed()) co_await down.run();
    } else {
        r.client.tie(backend->link, stream::tie_on::reset);
        if (awaits_continue) await_head();
        auto upward = to_its_end(sidecar::upload(*this), *this);
        auto downward = to_its_end(down.run(), *this);
        join both(upward, downward);
        co_await both;
    }
    r.client.untie();
    if (backend) backend->link.untie();
}

void attempt::fail(failure_reason why, const char* what) noexcept {
    if (failed()) return;
    if (is_response_complete) return abandon_upload(); // the client has all that it will get
    failure = why;
    detail = what;
    request.client.cancel_waits();
    backend->link.cancel_waits();
}

void attempt::go_on_with_body() noexcept {
    if (!std::exchange(awaits_continue, false) || upload_ != upload_state::under_way) return;
    stop_awaiting();
    if (awaiting_head) response_due = time_point::max();
    body_due = request.now() + request.downstream().body_timeout;
    request.client.reader().change_deadline(body_due);
}

void attempt::upload_complete() noexcept {
    upload_ = upload_state::complete;
    request.record.sent_at = request.now();
    await_head();
    tie_to_client();
}

// All of the request is with the backend: from now on a client that goes, or has gone, ends the wait for the response.
void attempt::tie_to_client() noexcept {
    const auto what = leaving(*request.config);
    request.client.tie(backend->link, what);
    if (!is_response_complete && request.client.has_left(what)) fail(failure_reason::client_gone);
}

void attempt::final_head_came() noexcept {
    awaiting_head = false;
    stop_awaiting();
    request.record.answered_at = request.now();
    request.worker.metrics.upstream_responses.add();
}

void attempt::stop_awaiting() noexcept {
    if (std::exchange(is_awaited_, false)) request.worker.metrics.upstream_awaited.subtract();
}

// The backend takes no more of it, or the client has no more to give. The response may be here, or come, all the same.
void attempt::abandon_upload() noexcept {
    upload_ = upload_state::abandoned;
    await_head();
}

// The backend's silence counts: from the request's end, or while it alone can let it go on.
void attempt::await_head() noexcept {
    if (!awaiting_head) return;
    if (!std::exchange(is_awaited_, true)) request.worker.metrics.upstream_awaited.add();
    response_due = request.now() + request.upstream().response_timeout;
    backend->link.reader().change_deadline(response_due);
}

void attempt::response_complete() noexcept {
    is_response_complete = true;
    if (!received.empty()) reusable = false; // bytes that nobody asked for
    if (upload_ != upload_state::under_way) return;
    // The rest of the request still goes up, unless nobody wants it.
    if (stop_upload_at_end || backend->link.end_seen() || backend->link.is_gone()) {
        upload_ = upload_state::abandoned;
        request.client.cancel_waits();
        backend->link.cancel_waits();
    } else {
        backend->link.tie(request.client, stream::tie_on::end);
    }
}

} // namespace sidecar
