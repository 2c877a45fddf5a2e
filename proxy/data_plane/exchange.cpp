// The life of a request: read the head, decide, perform, conclude.
#include "proxy/data_plane/exchange.hpp"

#include "proxy/data_plane/own_answer.hpp"
#include "proxy/data_plane/worker_context.hpp"

#include <algorithm>

namespace sidecar {

task<exchange::after> exchange::run() {
    head_status head{};
    while ((head = read_some_of_head()) == head_status::need_more) {
        if (client_ended_) {
            outcome_ = "client gone within the head";
            co_return after::close;
        }
        const auto woken_by = co_await session_.wait_until(began_ + settings_->values.downstream.header_timeout);
        if (woken_by == woken::by_deadline) {
            context_.metrics.limits_hit[static_cast<std::size_t>(limit::header_timeout)].add();
            co_return co_await answer_itself(error_reply(408, "the request's head did not arrive in time"),
                                             persistence::close);
        }
    }
    if (head != head_status::complete) co_return co_await refuse(head);
    if (!decide_on_it()) co_return co_await answer_itself(error_reply(400, "bad chunked body"), persistence::close);
    co_return co_await perform(decision_.action);
}

exchange::exchange(worker_context& context, session& of)
    : context_(context),
      session_(of),
      client_(of.client),
      state_(context.take_state()),
      settings_(context.current_settings()),
      began_(context.loop.now()),
      up_progress_(began_),
      down_progress_(began_) {}

exchange::~exchange() {
    note_end();
    session_.received.consume(received_used_);
    if (!pipelined_.empty()) session_.received.append(pipelined_);
    backend_.reset();
    context_.give_back(std::move(state_));
}

// What is already here, or one more read's worth.
head_status exchange::read_some_of_head() {
    auto& in = session_.received;
    const auto& limits = settings_->values.downstream;
    const head_limits head{limits.header_bytes_max, limits.header_fields_max, limits.target_bytes_max};
    for (;;) {
        if (!in.empty()) {
            const auto status = read_request_head(in.data(), head_searched_, head, state_->request);
            if (status != head_status::need_more) return status;
        }
        if (!client_.may_read()) return head_status::need_more;
        if (in.space().empty()) in.reserve(in.data().size() + buffer_pool::small_bytes);
        const auto read = client_.read(in.space());
        in.commit(read.bytes);
        if (read.status == io::done) continue;
        client_ended_ = read.status != io::again;
        return head_status::need_more;
    }
}

// False: the part of the body that is here already is malformed.
bool exchange::decide_on_it() {
    const auto& request = state_->request;
    const auto in = session_.received.data();
    const auto& limits = settings_->values.downstream;
    head_bytes_ = static_cast<std::size_t>(request.bytes.data() - in.data()) + request.bytes.size();
    request_body_ = body_reader(request.body, {limits.chunk_line_bytes_max, limits.trailer_bytes_max});
    received_used_ = head_bytes_ + request_body_.follow(in.substr(head_bytes_));
    bytes_from_client_ = received_used_;
    if (request_body_.failed() != body_reader::fault::none) {
        if (request_body_.failed() == body_reader::fault::chunk_line_too_long)
            context_.metrics.limits_hit[static_cast<std::size_t>(limit::chunk_line)].add();
        if (request_body_.failed() == body_reader::fault::trailer_too_long)
            context_.metrics.limits_hit[static_cast<std::size_t>(limit::trailer_bytes)].add();
        return false;
    }
    decision_ = settings_->rules.decide(request.view(), context_.current_readiness(), context_.loop.now());
    augment_ = std::get_if<augment>(&decision_.action);
    forward_ = std::get_if<forward>(&decision_.action);
    return true;
}

task<exchange::after> exchange::perform(const action& what) {
    if (session_.admitted() == session::admission::refuse) {
        kind_ = action_kind::error;
        context_.metrics.limits_hit[static_cast<std::size_t>(limit::connections)].add();
        return answer_itself(error_reply(503, "too many connections"), persistence::close);
    }
    if (const auto* own = std::get_if<local_reply>(&what)) {
        kind_ = action_kind::reply;
        return answer_itself(*own, persistence::keep_alive);
    }
    kind_ = augment_ ? action_kind::augment : action_kind::forward;
    return reach_and_relay();
}

task<exchange::after> exchange::reach_and_relay() {
    for (;;) {
        const bool reached = co_await reach_backend();
        if (!reached) break;
        send_head();
        co_await relay();
        if (!failure_ || !may_retry()) break;
        forget_try();
    }
    if (failure_) co_return co_await answer_failure();
    if (answer_stage_ == stage::tunnelling) {
        co_await tunnel();
        co_return after::close;
    }
    co_return conclude();
}

// What could not be sent again does not go on a connection that may just be closing.
bool exchange::is_repeatable() const noexcept {
    return state_->request.is_idempotent() && state_->request.body.how == body_framing::kind::none;
}

// Puma 5.6 answers a request that it can't parse at once on a fresh connection, and on a kept one only by closing it
// after 20 s: what a backend might refuse to parse gets a fresh one.
bool exchange::is_ordinary() const noexcept {
    constexpr std::size_t target_bytes = 4096; // Puma takes 8 kB of path
    constexpr std::size_t head_bytes = 16'384; // and 80 kB of fields
    const auto& request = state_->request;
    return !request.odd_target && request.target.size() <= target_bytes && request.bytes.size() <= head_bytes;
}

task<bool> exchange::reach_backend() {
    context_.backend.use(*settings_);
    if (is_repeatable() && is_ordinary() && !retried_) backend_ = context_.backend.take_idle();
    if (backend_) {
        backend_->link.owned_by(&session_.events());
        was_reused_ = true;
        context_.metrics.upstream_reuses.add();
        co_return true;
    }
    was_reused_ = false;
    auto connecting = context_.backend.connect(session_, session_.events(), client_, *settings_, backend_);
    const auto outcome = co_await std::move(connecting);
    const auto& config = settings_->values.upstream;
    switch (outcome) {
    case connect_outcome::connected:
        co_return true;
    case connect_outcome::client_gone:
        fail({side::client, 0, "client reset"});
        break;
    case connect_outcome::no_place:
        fail({side::backend, 503, "too many connections to the backend"});
        break;
    case connect_outcome::unreachable:
        fail({side::backend, config.unreachable == on_failure::answer ? 503 : 0, "the backend can't be reached"});
        break;
    }
    co_return false;
}

void exchange::send_head() {
    const auto& config = settings_->values.forward;
    request_changes_.whole_and_unencoded = augment_ != nullptr;
    if (config.x_forwarded_for || config.x_request_id || !config.x_forwarded_proto.empty()) {
        request_changes_.additions = &config;
        if (config.x_forwarded_for) peer_ = session_.peer_address();
        if (config.x_request_id && request_id_.empty()) request_id_ = context_.new_request_id();
        request_changes_.client_address = peer_;
        request_changes_.new_request_id = request_id_;
    }
    forward_head(state_->request, request_changes_, state_->to_backend);
    state_->to_backend.add(session_.received.data().substr(head_bytes_, received_used_ - head_bytes_));
    up_progress_ = down_progress_ = context_.loop.now();
}

// A kept connection died before the answer's first byte: the backend had closed it.
bool exchange::may_retry() const noexcept {
    return was_reused_ && !retried_ && failure_->source == side::backend && !any_answer_bytes_ && is_repeatable() &&
           (failure_->status == 502 || failure_->status == 0);
}

void exchange::forget_try() {
    retried_ = true;
    context_.metrics.upstream_retries.add();
    failure_.reset();
    backend_.reset();
    state_->to_backend.clear();
    up_ = up_stage::sending;
    answer_searched_ = 0;
}

// Both messages have passed, or the answer has and the rest of the request is not wanted.
exchange::after exchange::conclude() {
    const bool clean = up_ == up_stage::done && answer_stage_ == stage::complete;
    // A connection made for a request that may not be repeated does not swell the pool of those for requests that may.
    const bool wanted = is_repeatable() || !context_.backend.has_idle();
    if (clean && backend_reusable_ && wanted)
        context_.backend.give_back(std::move(backend_), settings_->values.upstream.idle_timeout);
    if (!clean) return after::linger;
    return client_persistence_ == persistence::close ? after::linger : after::keep;
}

task<exchange::after> exchange::answer_failure() {
    const auto cause = *failure_;
    outcome_ = cause.what;
    backend_.reset(); // nothing more of this exchange reaches it, and nothing of it reaches another
    if (cause.source == side::client) {
        context_.metrics.client_aborts.add();
    } else if (cause.status != 503) {
        context_.metrics.upstream_failures.add();
    }
    if (cause.status != 0 && !answer_started()) {
        kind_ = action_kind::error;
        const bool client_at_fault = cause.status < 500;
        co_return co_await answer_itself(error_reply(cause.status, cause.what),
                                         client_at_fault ? persistence::close : persistence::keep_alive);
    }
    // A body without a length of its own would look whole after an orderly end.
    const bool would_look_whole = answer_started() && (unchunk_ || answer_body_.until_close());
    co_return would_look_whole || cause.source == side::client ? after::reset : after::close;
}

task<exchange::after> exchange::answer_itself(local_reply own, persistence wanted) {
    const auto& request = state_->request;
    const bool keep =
        wanted == persistence::keep_alive && request.persistent() && !context_.draining && body_will_be_drained();
    status_ = own.status;
    state_->to_client.add_own(own_answer(own, request, settings_->values.own_answers,
                                         keep ? persistence::keep_alive : persistence::close, context_.http_date()));
    const auto give_up_at = context_.loop.now() + settings_->values.downstream.write_timeout;
    while (!state_->to_client.empty()) {
        const auto written = state_->to_client.flush(client_);
        bytes_to_client_ += written.bytes;
        if (written.status == io::error) co_return after::close;
        if (state_->to_client.empty()) break;
        const auto woken_by = co_await session_.wait_until(give_up_at);
        if (woken_by == woken::by_deadline || client_.is_reset()) co_return after::reset;
    }
    if (!keep) co_return after::linger;
    if (request_body_.done()) co_return after::keep;
    const bool drained = co_await drain_body();
    co_return drained ? after::keep : after::linger;
}

task<exchange::after> exchange::refuse(head_status why) {
    auto& hit = context_.metrics.limits_hit;
    kind_ = action_kind::error;
    outcome_ = state_->request.complaint;
    switch (why) {
    case head_status::header_too_large:
        hit[static_cast<std::size_t>(limit::header_bytes)].add();
        return answer_itself(error_reply(431, "the header section is too large"), persistence::close);
    case head_status::too_many_fields:
        hit[static_cast<std::size_t>(limit::header_fields)].add();
        return answer_itself(error_reply(431, "too many header fields"), persistence::close);
    case head_status::target_too_long:
        hit[static_cast<std::size_t>(limit::target_bytes)].add();
        return answer_itself(error_reply(414, "the URI is too long"), persistence::close);
    default:
        return answer_itself(error_reply(400, "bad request"), persistence::close);
    }
}

// Whether the rest of the request's body is small enough to be read and thrown away.
bool exchange::body_will_be_drained() const noexcept {
    if (request_body_.done()) return true;
    // Who waits for a 100 may now send the body or not; nobody can tell.
    if (state_->request.expects_continue && !continued_) return false;
    return request_body_.bytes_left_by_length() <= settings_->values.downstream.drain_bytes_max;
}

task<bool> exchange::drain_body() {
    const auto give_up_at = context_.loop.now() + settings_->values.downstream.body_timeout;
    auto& in = state_->from_client;
    std::size_t drained = 0;
    while (!request_body_.done()) {
        if (drained > settings_->values.downstream.drain_bytes_max) co_return false;
        if (!client_.may_read()) {
            const auto woken_by = co_await session_.wait_until(give_up_at);
            if (woken_by == woken::by_deadline) co_return false;
            continue;
        }
        in.consume(in.data().size());
        in.reserve(buffer_pool::small_bytes);
        const auto read = client_.read(in.space());
        if (read.status == io::again) continue;
        if (read.status != io::done) co_return false;
        in.commit(read.bytes);
        bytes_from_client_ += read.bytes;
        const auto used = request_body_.follow(in.data());
        drained += used;
        if (request_body_.failed() != body_reader::fault::none) co_return false;
        pipelined_ = in.data().substr(used);
    }
    co_return true;
}

void exchange_state::clear() {
    request.clear();
    answer.clear();
    to_backend.clear();
    to_client.clear();
    from_client.release();
    from_backend.release();
    payload.clear();
    trailer.clear();
    spliced.clear();
    etag.clear();
}

} // namespace sidecar
