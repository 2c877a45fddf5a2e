// Answers that are rewritten (SPEC 4) or listened to (learn, SPEC 7). The rewriting itself is in rules/.
#include "proxy/data_plane/exchange.hpp"

#include "proxy/data_plane/worker_context.hpp"

#include <algorithm>
#include <charconv>

namespace sidecar {

std::optional<unspliced> exchange::why_not_augmented() const noexcept {
    const auto& answer = state_->answer;
    if (answer.status != 200) return unspliced::not_200;
    const auto types = std::count(answer.kinds.begin(), answer.kinds.end(), known_field::content_type);
    if (types != 1 || !is_json_media_type(answer.value_of(known_field::content_type))) return unspliced::not_json;
    const auto coding = answer.value_of(known_field::content_encoding);
    if (!coding.empty() && !iequals(coding, "identity")) return unspliced::encoded;
    if (answer.body.how == body_framing::kind::length && answer.body.length > settings_->values.rules.augment_body_max)
        return unspliced::too_large;
    return std::nullopt;
}

void exchange::begin_augmenting() {
    const auto why_not = why_not_augmented();
    if (why_not == unspliced::encoded && !context_.common.told_of_coding.exchange(true))
        context_.common.log.line(log_level::warn,
                                 "the backend compresses answers although asked not to: no info in them",
                                 {{"coding", state_->answer.value_of(known_field::content_encoding)}});
    if (why_not) return pass_as_it_came(*why_not);
    if (augment_->head) {
        answer_changes changes = usual_changes();
        changes.other_content = true;
        was_spliced_ = true;
        return pass_answer_head(changes);
    }
    answer_stage_ = stage::collecting;
    collected_from_ = state_->answer.bytes.size();
    collect(state_->from_backend.data().substr(collected_from_));
}

void exchange::collect(std::string_view bytes) {
    const bool framed = state_->answer.body.how == body_framing::kind::chunked;
    const auto used = answer_body_.follow(bytes, framed ? this : nullptr);
    if (answer_body_.failed() != body_reader::fault::none)
        return fail({side::backend, 502, "the backend's chunked body is malformed"});
    if (used < bytes.size()) backend_reusable_ = false;
    if (answer_body_.done()) return finish_collecting();
    const auto limit_bytes = settings_->values.rules.augment_body_max;
    const auto raw_bytes = state_->from_backend.data().size() - collected_from_;
    // A body in tiny chunks is mostly framing: that is bounded too.
    if (answer_body_.payload_bytes() > limit_bytes || raw_bytes > 2 * limit_bytes + buffer_pool::small_bytes)
        pass_as_it_came(unspliced::too_large);
}

// The head's views are of a buffer that may have moved while it grew.
void exchange::reread_head() {
    if (state_->answer.bytes.data() == state_->from_backend.data().data()) return;
    const auto& limits = settings_->values.upstream;
    std::size_t from = 0;
    read_answer_head(state_->from_backend.data(), from, {limits.header_bytes_max, limits.header_fields_max, 0},
                     state_->request.method == "HEAD", state_->answer);
}

void exchange::pass_as_it_came(unspliced why) {
    unspliced_ = why;
    if (why == unspliced::too_large) context_.metrics.limits_hit[static_cast<std::size_t>(limit::augment_body)].add();
    const bool collected = answer_stage_ == stage::collecting;
    if (collected) reread_head();
    if (state_->answer.body.how == body_framing::kind::until_close || unchunk_)
        client_persistence_ = persistence::close;
    if (!collected) return pass_answer_head(usual_changes());
    // What is here has been followed already.
    forward_head(state_->answer, usual_changes(), state_->to_client);
    answer_stage_ = stage::passing;
    const auto raw = state_->from_backend.data().substr(collected_from_);
    state_->to_client.add(unchunk_ ? std::string_view(state_->payload) : raw);
    if (answer_body_.done()) end_answer();
}

void exchange::finish_collecting() {
    const bool framed = state_->answer.body.how == body_framing::kind::chunked;
    reread_head();
    auto raw = state_->from_backend.data().substr(collected_from_);
    if (!framed) raw = raw.substr(0, static_cast<std::size_t>(answer_body_.payload_bytes()));
    const std::string_view body = framed ? std::string_view(state_->payload) : raw;
    if (body.size() > settings_->values.rules.augment_body_max) return pass_as_it_came(unspliced::too_large);
    auto planned = plan_splice(body, augment_->consistency);
    if (!planned) return pass_as_it_came(planned.error());
    was_spliced_ = true;
    pass_augmented(*planned, body);
}

void exchange::pass_augmented(const splice& inserted, std::string_view body) {
    state_->spliced = inserted.text;
    if (auto etag = augmented_etag(state_->answer.value_of(known_field::etag), state_->spliced))
        state_->etag = std::move(*etag);
    auto changes = usual_changes();
    changes.other_content = true;
    changes.unchunked = false;
    changes.etag = state_->etag;
    if (is_not_modified(state_->etag)) {
        changes.not_modified = true;
        status_ = 304;
        context_.metrics.not_modified.add();
        forward_head(state_->answer, changes, state_->to_client);
        return end_answer();
    }
    state_->trailer = true_trailers(state_->trailer);
    if (!state_->trailer.empty() && state_->request.minor_version == 1) return pass_rechunked(inserted, body);
    changes.content_length = body.size() + state_->spliced.size();
    forward_head(state_->answer, changes, state_->to_client);
    state_->to_client.add(body.substr(0, inserted.at));
    state_->to_client.add(state_->spliced);
    state_->to_client.add(body.substr(inserted.at));
    end_answer();
}

// Only chunks can carry the backend's trailers on.
void exchange::pass_rechunked(const splice& inserted, std::string_view body) {
    auto changes = usual_changes();
    changes.other_content = true;
    changes.keep_coding = true;
    changes.etag = state_->etag;
    forward_head(state_->answer, changes, state_->to_client);
    char size[18];
    auto* end = std::to_chars(size, size + 16, body.size() + state_->spliced.size(), 16).ptr;
    *end++ = '\r';
    *end++ = '\n';
    state_->to_client.add_own(std::string_view(size, static_cast<std::size_t>(end - size)));
    state_->to_client.add(body.substr(0, inserted.at));
    state_->to_client.add(state_->spliced);
    state_->to_client.add(body.substr(inserted.at));
    state_->to_client.add_own({"\r\n0\r\n", state_->trailer, "\r\n"});
    end_answer();
}

// The backend was not told of the client's If-None-Match; it is answered here.
bool exchange::is_not_modified(std::string_view etag) const noexcept {
    for (const auto& field : state_->request.fields)
        if (iequals(field.name, "if-none-match") && if_none_match(field.value, etag)) return true;
    return false;
}

void exchange::learn() {
    const auto& lesson = *forward_->learn;
    auto id = lesson.id;
    if (!id)
        id = id_of_answer(state_->payload, state_->answer.value_of(known_field::content_encoding),
                          settings_->values.rules.learn_body_max);
    if (!id) return;
    const auto now = std::chrono::steady_clock::now(); // a poll sent this very moment must count as earlier
    const bool all_kept = context_.common.board.learn(settings_->rules.lesson(lesson.rule, *id, now),
                                                      settings_->values.rules.learn_entries_max, now);
    if (!all_kept) context_.metrics.limits_hit[static_cast<std::size_t>(limit::learn_entries)].add();
    context_.metrics.learned.add();
    decision_.id = id;
}

} // namespace sidecar
