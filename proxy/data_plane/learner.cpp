#include "proxy/data_plane/learner.hpp"

#include "sidecar/augment.hpp"

#include <algorithm>

namespace sidecar {

learner::learner(const forward::learning& lesson, const response_head& response, std::size_t body_bytes_max)
    : body_bytes_max_(body_bytes_max) {
    if (response.status / 100 != 2) return;
    id_ = lesson.id;
    if (id_ || !is_json_media_type(response.value_of(known_field::content_type))) return;
    const auto codings = std::count(response.kinds.begin(), response.kinds.end(), known_field::content_encoding);
    if (codings <= 1) coding_.emplace(response.value_of(known_field::content_encoding));
}

void learner::payload(std::string_view bytes) {
    if (!wants_body()) return;
    if (bytes.size() <= body_bytes_max_ - body_.size()) {
        body_.append(bytes);
        return;
    }
    too_large_ = true;
    coding_.reset();
    std::string().swap(body_); // its memory goes, too
}

std::optional<uuid> learner::finish() const {
    return wants_body() ? id_of_response(body_, *coding_, body_bytes_max_) : id_;
}

} // namespace sidecar
