#include "proxy/data_plane/augmenter.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sidecar {
namespace {

// For what is inserted, and for what the parser wants behind the text: neither is to move the body.
constexpr std::size_t room_bytes = 256 + json_padding;
// A body in tiny chunks is mostly framing: that is bounded too.
constexpr std::size_t framing_bytes_max(std::size_t body_bytes_max) { return body_bytes_max + 16 * 1024; }

bool is_json(const response_head& response) noexcept {
    const auto types = std::count(response.kinds.begin(), response.kinds.end(), known_field::content_type);
    return types == 1 && is_json_media_type(response.value_of(known_field::content_type));
}

bool is_encoded(const response_head& response) noexcept {
    for (std::size_t i = 0; i < response.fields.size(); ++i) {
        const auto coding = response.fields[i].value;
        if (response.kinds[i] == known_field::content_encoding && !coding.empty() && !iequals(coding, "identity"))
            return true;
    }
    return false;
}

std::string rechunked(std::string_view body, std::string_view trailers) {
    char size[16];
    char* const end = std::to_chars(size, size + sizeof size, body.size(), 16).ptr;
    std::string chunk;
    chunk.reserve(body.size() + trailers.size() + 32);
    chunk.append(size, end).append("\r\n").append(body);
    return chunk.append("\r\n0\r\n").append(trailers).append("\r\n");
}

} // namespace

augmenter::augmenter(const augment& what, const request_head& request, std::size_t body_bytes_max) noexcept
    : what_(what),
      request_(request),
      body_bytes_max_(body_bytes_max) {}

std::optional<not_augmented> augmenter::reject(const response_head& response) {
    if (response.status != 200) return not_augmented::not_200;
    if (!is_json(response)) return not_augmented::not_json;
    if (is_encoded(response)) return not_augmented::encoded;
    if (response.body.how == body_framing::kind::length) {
        if (response.body.length > body_bytes_max_) return not_augmented::too_large;
        held_.reserve(static_cast<std::size_t>(response.body.length) + room_bytes);
    }
    framed_ = response.body.how == body_framing::kind::chunked && request_.minor_version != 0;
    return std::nullopt;
}

bool augmenter::collect(std::string_view out) {
    held_.append(out);
    if (!framed_) return held_.size() <= body_bytes_max_;
    return payload_.size() <= body_bytes_max_ && held_.size() <= body_bytes_max_ + framing_bytes_max(body_bytes_max_);
}

void augmenter::payload(std::string_view bytes) {
    if (framed_) payload_.append(bytes.substr(0, body_bytes_max_ + 1 - std::min(payload_.size(), body_bytes_max_ + 1)));
}

void augmenter::trailer(std::string_view line) {
    if (framed_) trailers_.append(line);
}

std::size_t augmenter::held_bytes() const noexcept {
    return held_.capacity() + payload_.capacity() + trailers_.capacity();
}

augmenter::result augmenter::finish(const response_head& response) {
    result made;
    made.changes.representation_changed = true;
    if (what_.head) return made;

    auto& body = framed_ ? payload_ : held_;
    body.reserve(body.size() + room_bytes);
    auto planned = plan_insertion(body, what_.consistency);
    if (!planned) {
        made.why_not = planned.error();
        return made;
    }
    etag_ = augmented_etag(response.value_of(known_field::etag), planned->text).value_or(std::string());
    made.changes.etag = etag_;
    made.status = status_by_conditions();
    made.changes.not_modified = made.status == 304;
    if (made.status != 200) return made;

    made.body = std::move(body);
    made.body.insert(planned->at, planned->text);
    const auto trailers = drop_stale_trailers(trailers_);
    made.changes.keep_coding = !trailers.empty(); // only chunks can carry them on
    if (made.changes.keep_coding)
        made.body = rechunked(made.body, trailers);
    else
        made.changes.content_length = made.body.size();
    return made;
}

// The backend was not told of the client's conditions: they are about what the client gets (RFC 9110 13.2.2).
int augmenter::status_by_conditions() const noexcept {
    bool matched = true, asked_to_match = false, known_already = false;
    const auto request = request_.view();
    for (const auto& field : request.fields) {
        if (!request.reaches_backend(field)) continue;
        if (iequals(field.name, "if-match")) {
            matched = (asked_to_match && matched) || if_match(field.value, etag_);
            asked_to_match = true;
        } else if (iequals(field.name, "if-none-match")) {
            known_already = known_already || if_none_match(field.value, etag_);
        }
    }
    if (!matched) return 412;
    return known_already ? 304 : 200;
}

} // namespace sidecar
