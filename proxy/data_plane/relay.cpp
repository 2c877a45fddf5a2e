// The request's body up and the answer down at the same time, as far as each side lets them. Only relay() waits.
#include "proxy/data_plane/exchange.hpp"

#include "proxy/data_plane/worker_context.hpp"

#include <algorithm>

namespace sidecar {

namespace {
constexpr int rounds_in_a_row = 16;               // then other connections have their turn
constexpr std::size_t interim_answers_max = 64;   // 1xx before one final answer
constexpr std::uint64_t worth_a_pipe = 32 * 1024; // fewer bytes are sooner copied
} // namespace

task<> exchange::relay() {
    for (int round = 0; !failure_ && !finished(); ++round) {
        if (step()) {
            if (round % rounds_in_a_row == rounds_in_a_row - 1) co_await session_.yield();
            continue;
        }
        if (finished()) break;
        const auto woken_by = co_await session_.wait_until(deadline());
        if (woken_by == woken::by_deadline) on_deadline();
    }
}

bool exchange::finished() const noexcept {
    if (!state_->to_client.empty()) return false;
    if (answer_stage_ == stage::tunnelling) return true;
    return answer_stage_ == stage::complete && (up_ != up_stage::sending || stop_upload_);
}

// True: something moved, so that it is worth trying again before waiting.
bool exchange::step() {
    const bool gone = client_.is_reset() || (up_ != up_stage::sending && client_.end_seen() &&
                                             settings_->values.downstream.on_half_close == half_close::abort);
    if (gone) {
        fail({side::client, 0, "client gone"});
        return true;
    }
    const bool moved_up = step_up();
    const bool moved_down = !failure_ && step_down();
    return moved_up || moved_down;
}

bool exchange::step_up() {
    if (up_ != up_stage::sending) return false;
    auto& out = state_->to_backend;
    // A backend that has answered and gone wants no more of the request.
    if (answer_stage_ == stage::complete && (backend_->link.end_seen() || backend_->link.is_reset())) {
        abandon_upload();
        return true;
    }
    bool moved = false;
    if (!out.empty()) {
        if (!backend_->link.may_write()) return false;
        const auto written = out.flush(backend_->link);
        if (written.status == io::again) return false;
        if (written.status == io::error) { // its answer may be here all the same
            abandon_upload();
            return true;
        }
        up_progress_ = context_.loop.now();
        moved = true;
        if (!out.empty()) return true;
    }
    if (request_body_.done()) {
        up_ = up_stage::done;
        sent_at_ = context_.loop.now();
        return moved;
    }
    return read_body_from_client() || moved;
}

void exchange::abandon_upload() {
    up_ = up_stage::abandoned;
    state_->to_backend.clear();
}

// A large body's bytes, of which nobody here needs to see one, stay in the kernel. Nothing: they are to be read.
std::optional<io_result> exchange::pass_unseen(connection& from, body_reader& body, buffer& unused, outbox& to) {
    if (body.payload_ahead() < worth_a_pipe || settings_->pipes_max == 0) return std::nullopt;
    if (!from.may_splice() || !context_.pipes.allowed()) return std::nullopt;
    const auto passed = to.pass_from(from, body.payload_ahead(), settings_->pipes_max);
    if (!passed) return std::nullopt;
    if (passed->status == io::again && from.may_read()) return std::nullopt; // the end, it seems: read() knows
    body.skip(passed->bytes);
    unused.release();
    return passed;
}

// Where the next bytes of a body go, in place of the last ones.
std::span<char> exchange::space_for_body(buffer& in, bool large) {
    const auto wanted = large ? buffer_pool::large_bytes : buffer_pool::small_bytes;
    in.consume(in.data().size());
    if (in.capacity() < wanted) in.release();
    in.reserve(wanted);
    return in.space();
}

bool exchange::read_body_from_client() {
    if (!client_.may_read()) return false;
    auto& in = state_->from_client;
    std::optional<io_result> unseen;
    std::span<char> space;
    if (large_reads_up_) unseen = pass_unseen(client_, request_body_, in, state_->to_backend);
    if (!unseen) {
        space = space_for_body(in, large_reads_up_);
        if (const auto left = request_body_.bytes_left_by_length(); left && left < space.size())
            space = space.first(static_cast<std::size_t>(left));
    }
    const auto read = unseen ? *unseen : client_.read(space);
    if (read.status == io::again) return false;
    if (read.status != io::done) {
        fail({side::client, 0, "client gone within the request's body"});
        return true;
    }
    bytes_from_client_ += read.bytes;
    up_progress_ = context_.loop.now();
    large_reads_up_ = unseen ? read.bytes >= buffer_pool::small_bytes : read.bytes == space.size();
    if (unseen) return true;
    in.commit(read.bytes);
    const auto used = request_body_.follow(in.data());
    state_->to_backend.add(in.data().substr(0, used));
    if (const auto fault = request_body_.failed(); fault != body_reader::fault::none) {
        auto& hit = context_.metrics.limits_hit;
        if (fault == body_reader::fault::chunk_line_too_long) hit[static_cast<std::size_t>(limit::chunk_line)].add();
        if (fault == body_reader::fault::trailer_too_long) hit[static_cast<std::size_t>(limit::trailer_bytes)].add();
        fail({side::client, 400, "bad chunked body"});
    }
    pipelined_ = in.data().substr(used);
    return true;
}

bool exchange::step_down() {
    const bool moved = flush_to_client();
    // Back-pressure: no more is read than the client takes.
    if (failure_ || !state_->to_client.empty() || answer_stage_ >= stage::complete) return moved;
    return read_answer_from_backend() || moved;
}

bool exchange::flush_to_client() {
    auto& out = state_->to_client;
    if (out.empty() || !client_.may_write()) return false;
    const auto written = out.flush(client_);
    if (written.status == io::again) return false;
    if (written.status == io::error) {
        fail({side::client, 0, "client gone within the answer"});
        return true;
    }
    bytes_to_client_ += written.bytes;
    down_progress_ = context_.loop.now();
    return true;
}

bool exchange::read_answer_from_backend() {
    if (!backend_->link.may_read()) return false;
    auto& in = state_->from_backend;
    const bool passing = answer_stage_ == stage::passing;
    std::optional<io_result> unseen;
    std::span<char> space;
    if (passing && large_reads_down_ && !unchunk_ && !overhear_)
        unseen = pass_unseen(backend_->link, answer_body_, in, state_->to_client);
    if (!unseen && passing) {
        space = space_for_body(in, large_reads_down_);
    } else if (!unseen) {
        if (in.space().empty()) in.reserve(in.data().size() + std::max(in.data().size(), buffer_pool::small_bytes));
        space = in.space();
    }
    const auto read = unseen ? *unseen : backend_->link.read(space);
    if (read.status == io::again) return false;
    if (read.status != io::done) {
        backend_ended(read.status);
        return true;
    }
    down_progress_ = context_.loop.now();
    large_reads_down_ = unseen ? read.bytes >= buffer_pool::small_bytes : read.bytes == space.size();
    if (unseen) {
        if (answer_body_.done()) end_answer();
        return true;
    }
    in.commit(read.bytes);
    if (!any_answer_bytes_) answered_at_ = down_progress_;
    any_answer_bytes_ = true;
    const auto fresh = in.data().substr(in.data().size() - read.bytes);
    switch (answer_stage_) {
    case stage::awaiting_head:
        take_answer_heads();
        break;
    case stage::collecting:
        collect(fresh);
        break;
    default:
        pass_body(fresh);
        break;
    }
    return true;
}

// Interim answers, as many as there are, and then the final one's head.
void exchange::take_answer_heads() {
    auto& in = state_->from_backend;
    const auto& limits = settings_->values.upstream;
    const head_limits head{limits.header_bytes_max, limits.header_fields_max, 0};
    const bool to_head = state_->request.method == "HEAD";
    while (!in.empty()) {
        const auto status = read_answer_head(in.data(), answer_searched_, head, to_head, state_->answer);
        if (status == head_status::need_more) return;
        if (status != head_status::complete) {
            fail({side::backend, 502, "the backend's answer is malformed"});
            outcome_ = state_->answer.complaint;
            return;
        }
        if (state_->answer.status >= 200) return begin_answer();
        if (state_->answer.status == 101) {
            if (!state_->request.upgrades_to_websocket || !state_->answer.find(known_field::upgrade))
                return fail({side::backend, 502, "the backend switched protocols unasked"});
            status_ = 101;
            answer_changes changes = usual_changes();
            changes.switching = true;
            forward_head(state_->answer, changes, state_->to_client);
            state_->to_client.add(in.data().substr(state_->answer.bytes.size()));
            answer_stage_ = stage::tunnelling;
            return;
        }
        if (++interim_answers_ > interim_answers_max)
            return fail({side::backend, 502, "too many interim answers from the backend"});
        pass_interim();
        in.consume(state_->answer.bytes.size());
        answer_searched_ = 0;
    }
}

void exchange::pass_interim() {
    if (state_->request.minor_version == 0) return; // RFC 9110 15.2: not to an HTTP/1.0 client
    if (state_->answer.status == 100) continued_ = true;
    outbox lines(context_.pipes);
    answer_changes changes;
    forward_head(state_->answer, changes, lines);
    state_->to_client.add_own(lines.joined()); // the buffer goes on to the next head
}

answer_changes exchange::usual_changes() const noexcept {
    answer_changes changes;
    changes.client = client_persistence_;
    changes.client_minor_version = state_->request.minor_version;
    changes.unchunked = unchunk_;
    return changes;
}

void exchange::begin_answer() {
    const auto& request = state_->request;
    const auto& answer = state_->answer;
    const auto& limits = settings_->values.downstream;
    answer_body_ = body_reader(answer.body, {limits.chunk_line_bytes_max, limits.trailer_bytes_max});
    const bool until_close = answer.body.how == body_framing::kind::until_close;
    backend_reusable_ = answer.persistent() && !until_close;
    unchunk_ = request.minor_version == 0 && answer.body.how == body_framing::kind::chunked;
    stop_upload_ = up_ == up_stage::sending && request.expects_continue && !continued_;
    status_ = answer.status;
    const bool can_keep = request.persistent() && !context_.draining && !stop_upload_ && up_ != up_stage::abandoned;
    client_persistence_ = can_keep ? persistence::keep_alive : persistence::close;
    if (augment_) {
        begin_augmenting(); // may turn an answer without length into one with
        return;
    }
    overhear_ = forward_ && forward_->learn && answer.status / 100 == 2 &&
                (forward_->learn->id || is_json_media_type(answer.value_of(known_field::content_type)));
    if (until_close || unchunk_) client_persistence_ = persistence::close;
    pass_answer_head(usual_changes());
}

void exchange::pass_answer_head(const answer_changes& changes) {
    forward_head(state_->answer, changes, state_->to_client);
    answer_stage_ = stage::passing;
    pass_body(state_->from_backend.data().substr(state_->answer.bytes.size()));
}

void exchange::pass_body(std::string_view bytes) {
    const auto used = answer_body_.follow(bytes, unchunk_ || overhear_ ? this : nullptr);
    if (!unchunk_) state_->to_client.add(bytes.substr(0, used));
    if (answer_body_.failed() != body_reader::fault::none) {
        if (bytes_to_client_ == 0) take_answer_back();
        return fail({side::backend, 502, "the backend's chunked body is malformed"});
    }
    if (used < bytes.size()) backend_reusable_ = false; // bytes that nobody asked for
    if (answer_body_.done()) end_answer();
}

// Nothing of it has gone out: the client can still be given another.
void exchange::take_answer_back() {
    state_->to_client.clear();
    answer_stage_ = stage::awaiting_head;
}

// Before the client sees the end of it: what it teaches must be known by then.
void exchange::end_answer() {
    if (overhear_) learn();
    answer_stage_ = stage::complete;
}

void exchange::payload(std::string_view bytes) {
    if (unchunk_ && answer_stage_ == stage::passing) state_->to_client.add(bytes);
    if (!overhear_ && answer_stage_ != stage::collecting) return;
    const auto& limits = settings_->values.rules;
    if (overhear_ && state_->payload.size() + bytes.size() > limits.learn_body_max) {
        overhear_ = forward_->learn->id.has_value(); // then the body is not needed
        if (!overhear_) context_.metrics.limits_hit[static_cast<std::size_t>(limit::learn_body)].add();
        return;
    }
    state_->payload.append(bytes);
}

void exchange::trailer(std::string_view bytes) {
    if (answer_stage_ == stage::collecting) state_->trailer.append(bytes);
}

void exchange::backend_ended(io how) {
    backend_reusable_ = false;
    if (answer_stage_ == stage::awaiting_head) {
        const bool close_silently = !any_answer_bytes_ && settings_->values.upstream.no_answer == on_failure::close;
        fail({side::backend, close_silently ? 0 : 502, "the backend closed before an answer"});
    } else if (how == io::end && answer_body_.end_of_stream()) {
        if (answer_stage_ == stage::collecting)
            finish_collecting();
        else
            end_answer();
    } else {
        fail({side::backend, 502, "the backend closed within its answer"});
    }
}

// The first cause counts. Once an answer has begun, no other can be given.
void exchange::fail(failure_cause cause) {
    if (failure_) return;
    if (answer_started()) cause.status = 0;
    failure_ = cause;
}

exchange::stall exchange::upward_stall() const noexcept {
    const auto& config = settings_->values;
    if (up_ != up_stage::sending) return {time_point::max(), {}, {}};
    if (!state_->to_backend.empty())
        return {up_progress_ + config.upstream.write_timeout,
                limit::write_timeout,
                {side::backend, 504, "the backend takes no more of the request"}};
    return {up_progress_ + config.downstream.body_timeout,
            limit::body_timeout,
            {side::client, 408, "the request's body did not arrive in time"}};
}

exchange::stall exchange::downward_stall() const noexcept {
    const auto& config = settings_->values;
    if (!state_->to_client.empty())
        return {down_progress_ + config.downstream.write_timeout,
                limit::write_timeout,
                {side::client, 0, "the client takes no more of the answer"}};
    if (answer_stage_ == stage::complete) return {time_point::max(), {}, {}};
    if (answer_stage_ != stage::awaiting_head)
        return {down_progress_ + config.upstream.body_timeout,
                limit::response_timeout,
                {side::backend, 504, "the backend fell silent within its answer"}};
    // Its silence counts from the request's end.
    if (up_ == up_stage::sending) return {time_point::max(), {}, {}};
    return {std::max(up_progress_, down_progress_) + config.upstream.response_timeout,
            limit::response_timeout,
            {side::backend, 504, "the backend did not answer in time"}};
}

time_point exchange::deadline() const noexcept { return std::min(upward_stall().at, downward_stall().at); }

void exchange::on_deadline() {
    for (const auto& each : {upward_stall(), downward_stall()}) {
        if (each.at > context_.loop.now()) continue;
        context_.metrics.limits_hit[static_cast<std::size_t>(each.which)].add();
        fail(each.cause);
    }
}

} // namespace sidecar
