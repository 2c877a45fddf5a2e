#include "proxy/data_plane/download.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sidecar {

namespace {
constexpr std::size_t interim_heads_max = 64; // 1xx before one final response
constexpr int reads_in_a_row = 16;            // then other connections have their turn
} // namespace

task<> download::run() {
    for (;;) {
        const auto found = take_head();
        if (found == head_found::fault) co_return;
        if (found == head_found::final) break;
        if (found == head_found::none) {
            const bool came = co_await more();
            if (!came) co_return;
            continue;
        }
        co_await relay({out_.data(), {}});
        out_.clear();
        if (attempt_.failed()) co_return;
        if (found != head_found::switching) continue;
        attempt_.final_head_came();
        attempt_.switched = true;
        co_return;
    }
    begin();
    if (augmenter_) co_await collect();
    if (attempt_.failed()) co_return;
    if (attempt_.precondition_failed) {
        attempt_.stop_upload_at_end = true; // a local reply is to go out, now
        co_return attempt_.response_complete();
    }
    const std::string_view collected = !augmenter_ ? std::string_view{} : made_ ? made_->body : augmenter_->held();
    co_await relay({out_.data(), collected});
    if (!attempt_.failed()) attempt_.response_complete();
}

download::download(request_context& request, attempt& of)
    : request_(request),
      attempt_(of),
      out_(request.worker.buffers),
      turn_(request.worker.timers) {}

download::~download() { request_.worker.held_bytes -= held_; }

// What is here of a head, if it is one.
download::head_found download::take_head() {
    auto& in = attempt_.received;
    if (in.empty()) return head_found::none;
    const auto& limits = request_.upstream();
    const auto status = read_response_head(in.data(), searched_, {limits.header_bytes_max, limits.header_fields_max, 0},
                                           request_.head.method == "HEAD", head_);
    if (status == head_status::need_more) return head_found::none;
    if (status != head_status::complete) return bad_response(*head_.complaint ? head_.complaint : "a head too large");
    if (head_.status >= 200) {
        head_.storage = in.take_front(head_.consumed);
        return head_found::final;
    }
    searched_ = 0;
    auto found = head_found::interim;
    if (!head_.is_interim()) {
        if (!request_.head.upgrades_to_websocket || !head_.switches_to_websocket)
            return bad_response("protocols switched unasked");
        request_.record.status = head_.status;
        found = head_found::switching;
    } else if (++interim_heads_ > interim_heads_max) {
        return bad_response("too many interim responses");
    }
    if (request_.head.minor_version == 1) { // RFC 9110 15.2: none to an HTTP/1.0 client
        if (head_.status == 100) {
            request_.continued = true;
            attempt_.go_on_with_body();
        }
        response_changes changes;
        changes.switching = found == head_found::switching;
        write_response_head(head_, changes, out_);
    }
    in.consume(head_.consumed);
    return found;
}

download::head_found download::bad_response(const char* what) noexcept {
    attempt_.fail(failure_reason::bad_response, what);
    return head_found::fault;
}

io_result download::read_some() {
    auto& in = attempt_.received;
    auto& link = attempt_.backend->link;
    if (!link.may_read()) return {};
    if (in.empty())
        space_for_body(in, large_);
    else if (in.space().empty())
        in.reserve(in.data().size() + std::max(in.data().size(), buffer_pool::small_bytes));
    const auto space = in.space();
    const auto read = link.read_some(space);
    in.commit(read.bytes);
    large_ = read.bytes == space.size();
    return read;
}

// Reads once something has come. False: the attempt is over; or the end came, and it was the message's.
task<bool> download::more() {
    auto& link = attempt_.backend->link;
    auto& waits_since = request_.from.download_waits_since;
    if (!attempt_.awaiting_head) attempt_.response_due = request_.now() + request_.upstream().body_timeout;
    while (!attempt_.failed()) { // the upload may have, before this began to wait
        const auto read = read_some();
        if (read.status == io::done) {
            waits_since = time_point::max();
            if (attempt_.upload() != attempt::upload_state::under_way || attempt_.awaits_continue)
                attempt_.response_due = request_.now() + request_.upstream().response_timeout;
            any_bytes_ = true;
            co_return true;
        }
        if (read.status != io::again) {
            backend_ended(read.status);
            co_return false;
        }
        if (attempt_.received.empty()) attempt_.received.release(); // who waits holds none
        // While the request is on its way, it may be the client that lets all wait.
        if (!attempt_.awaiting_head && attempt_.upload() != attempt::upload_state::under_way)
            waits_since = std::min(waits_since, request_.now());
        const auto woken = co_await link.readable(attempt_.response_due);
        if (attempt_.failed()) break;
        if (request_.client.is_gone() || (woken == wake::cancelled && request_.client.end_seen() &&
                                          request_.downstream().on_half_close == half_close::abort)) {
            attempt_.fail(failure_reason::client_gone);
            co_return false;
        }
        if (woken != wake::deadline || request_.now() < attempt_.response_due) continue;
        request_.worker.metrics.limits_hit[limit::response_timeout].add();
        attempt_.fail(attempt_.awaiting_head ? failure_reason::response_timeout
                                             : failure_reason::response_body_timeout);
    }
    co_return false;
}

void download::backend_ended(io how) noexcept {
    attempt_.reusable = false;
    if (attempt_.awaiting_head) {
        if (any_bytes_)
            attempt_.fail(failure_reason::bad_response, "closed within the head");
        else
            attempt_.fail(failure_reason::no_response);
    } else if (how != io::end || !body_.end_of_stream()) {
        attempt_.fail(failure_reason::truncated_response);
    } else {
        learn();
    }
}

// The final head is here: how its body is framed, and what is to be done with it.
void download::begin() {
    auto& r = request_;
    r.record.go_on_with_own_time();
    attempt_.final_head_came();
    const bool until_close = head_.body.how == body_framing::kind::until_close;
    const bool dechunked = r.head.minor_version == 0 && head_.body.how == body_framing::kind::chunked;
    body_ = body_reader(head_.body, {r.downstream().chunk_line_bytes_max, r.downstream().trailer_bytes_max},
                        dechunked ? dechunk::yes : dechunk::no);
    attempt_.reusable = head_.persistent() && !until_close;
    const bool sending = attempt_.upload() == attempt::upload_state::under_way;
    attempt_.stop_upload_at_end = sending && r.head.expects_continue && !r.continued;
    r.record.status = head_.status;
    const bool can_keep = r.head.persistent() && !r.worker.draining && !attempt_.stop_upload_at_end &&
                          attempt_.upload() != attempt::upload_state::abandoned;
    attempt_.client_persistence = can_keep ? persistence::keep_alive : persistence::close;
    attempt_.ends_by_close = until_close || dechunked;
    if (const auto* what = std::get_if<augment>(&r.decided.action)) {
        augmenter_.emplace(*what, r.head, r.config->values.rules.augment_body_max);
        if (const auto why = augmenter_->reject(head_)) {
            augmenter_.reset();
            relay_unmodified(*why);
        }
        return;
    }
    if (const auto* what = std::get_if<forward>(&r.decided.action); what && what->learn && head_.status / 100 == 2) {
        learner_.emplace(*what->learn, head_, r.config->values.rules.learn_body_max);
        if (body_.done()) learn();
    }
    write_head();
}

void download::write_head(response_changes changes) {
    if (attempt_.ends_by_close) attempt_.client_persistence = persistence::close;
    changes.client = attempt_.client_persistence;
    changes.client_minor_version = request_.head.minor_version;
    write_response_head(head_, changes, out_);
}

void download::write_head() {
    response_changes changes;
    // Also where no body follows (HEAD, 304): HTTP/1.0 knows no chunks.
    const bool is_chunked = head_.body.how == body_framing::kind::chunked ||
                            (head_.body.how == body_framing::kind::none && head_.find(known_field::transfer_encoding));
    changes.dechunked = request_.head.minor_version == 0 && is_chunked;
    write_head(changes);
}

void download::relay_unmodified(not_augmented why) {
    auto& r = request_;
    r.record.relayed_unmodified = why;
    if (why == not_augmented::too_large || why == not_augmented::no_room)
        r.worker.metrics.limits_hit[limit::augment_body].add();
    if (why == not_augmented::encoded && !r.worker.common.told_of_coding.exchange(true))
        r.worker.common.log.line(log_level::warn,
                                 "the backend compresses responses although asked not to: no info in them",
                                 {{"coding", head_.value_of(known_field::content_encoding)}});
    write_head();
}

// Until the body's end, or until it turns out that it is to be relayed as it came.
task<> download::collect() {
    auto& in = attempt_.received;
    const bool framed = head_.body.how == body_framing::kind::chunked;
    while (!body_.done()) {
        if (in.empty()) {
            const bool came = co_await more();
            if (attempt_.failed()) co_return;
            if (!came) break;
        }
        const auto piece = body_.take(in.writable(), framed ? &*augmenter_ : nullptr);
        const bool fits = augmenter_->collect(piece.out);
        in.consume(piece.used);
        if (body_.failed() != body_reader::fault::none) co_return bad_body();
        if (!fits) co_return relay_unmodified(not_augmented::too_large);
        if (!has_room_to_hold()) co_return relay_unmodified(not_augmented::no_room);
    }
    made_ = augmenter_->finish(head_);
    if (made_->why_not) {
        const auto why = *std::exchange(made_, std::nullopt)->why_not;
        co_return relay_unmodified(why);
    }
    auto& r = request_;
    r.record.augmented = true;
    r.record.status = made_->status;
    attempt_.precondition_failed = made_->status == 412;
    if (made_->status == 304) r.worker.metrics.not_modified.add();
    attempt_.ends_by_close = false;
    write_head(made_->changes);
}

// Counts what is held against what all that this worker collects may hold together.
bool download::has_room_to_hold() noexcept {
    auto& all = request_.worker.held_bytes;
    all -= held_;
    held_ = augmenter_->held_bytes();
    all += held_;
    request_.worker.held_bytes_peak = std::max(request_.worker.held_bytes_peak, all);
    return all <= request_.config->augment_held_max;
}

void download::bad_body() noexcept {
    count_body_fault(request_.worker.metrics, body_.failed());
    attempt_.fail(failure_reason::bad_response, "a malformed chunked body");
}

// Writes `next` and what is left of the body: as it comes, and no more than the client takes.
task<> download::relay(outgoing next) {
    auto& in = attempt_.received;
    for (int reads = 1;; ++reads) {
        std::size_t taken = 0;
        if (next.second.empty() && !body_.done() && !in.empty()) {
            const auto piece = body_.take(in.writable(), learner_ ? &*learner_ : nullptr);
            if (body_.failed() != body_reader::fault::none) co_return bad_body();
            if (body_.done()) learn();
            taken = piece.used;
            next.second = piece.out;
        }
        const bool written = next.empty() || write_at_once(next) || co_await write(next);
        if (!written) co_return;
        next = {};
        in.consume(taken);
        if (body_.done()) break;
        if (!in.empty()) continue;
        const bool came = co_await more();
        if (!came && !body_.done()) co_return;
        if (reads % reads_in_a_row == 0) co_await turn_.yield();
        if (attempt_.failed()) co_return;
    }
}

bool download::write_at_once(outgoing& next) noexcept {
    if (head_.status < 200) return request_.client.write_some(next), next.empty();
    const auto written = request_.client.write_some(next);
    if (!std::exchange(attempt_.response_begun, true)) request_.record.stop_own_time();
    request_.record.bytes_to_client += written.bytes;
    return next.empty();
}

task<bool> download::write(outgoing& next) {
    auto& r = request_;
    const auto size = next.size();
    const auto end = co_await finish_writing(r.client, next, r.worker.timers, r.downstream().write_timeout);
    r.record.bytes_to_client += size - next.size();
    if (end == write_end::done) co_return true;
    if (end == write_end::timed_out) r.worker.metrics.limits_hit[limit::write_timeout].add();
    if (end != write_end::cancelled || r.client.is_gone())
        attempt_.fail(end == write_end::timed_out ? failure_reason::client_stalled : failure_reason::client_gone,
                      "within the response");
    co_return false;
}

// Before the client sees the end of the response: what it teaches must be known by then.
void download::learn() {
    if (!learner_) return;
    auto& r = request_;
    auto& hit = r.worker.metrics.limits_hit;
    if (learner_->too_large()) hit[limit::learn_body].add();
    const auto id = learner_->finish();
    learner_.reset();
    if (!id) return;
    const auto& rules = r.config->values.rules;
    const auto rule = std::get<forward>(r.decided.action).learn->rule;
    const auto now = std::chrono::steady_clock::now(); // a poll sent this very moment must count as earlier
    const auto lesson = r.config->rules.lesson(rule, *id, now);
    const bool all_kept = r.worker.common.board.learn(lesson, r.config->rules.needs(), rules.learn_entries_max, now);
    if (!all_kept) hit[limit::learn_entries].add();
    r.worker.metrics.learned.add();
    r.decided.id = id;
}

} // namespace sidecar
