// Rewrites an answer's body and the metadata that depends on it (SPEC 4). Pure.
#pragma once

#include "sidecar/result.hpp"
#include "sidecar/uuid.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

// Where the bytes go in: body[0, at) + text + body[at, end). Nothing else changes.
struct splice {
    std::size_t at = 0;
    std::string text;
};

// Why an answer passes as it came; a word for logs and a label for metrics.
enum class unspliced : unsigned char {
    not_200,
    not_json,
    encoded,
    too_large,
    invalid_json,
    not_an_object,
    backends_own_word
};
std::string_view to_string(unspliced) noexcept;

// Splices {"info":{"resource_consistency":CONSISTENCY}} into `body`, which must be one valid JSON object (validated
// whole). An `info` object of the backend's own without `resource_consistency` gets that member; with it, or an `info`
// that is no object: backends_own_word. With duplicate `info` keys the last one is the one readers see.
boost::system::result<splice, unspliced> plan_splice(std::string_view body, std::string_view consistency);

// The id in a JSON object's member `id` of an answer that passes through (learn). `content_encoding` as the field says
// it: empty or identity, gzip (x-gzip) and deflate are read, others not. At most `bytes_max` are inflated.
std::optional<uuid> id_of_answer(std::string_view body, std::string_view content_encoding, std::size_t bytes_max);

// application/json or any +json type (RFC 6839), parameters allowed, without regard to case.
bool is_json_media_type(std::string_view content_type) noexcept;

// RFC 9110 8.8.3. The entity tag of the augmented representation: covers the backend's and the spliced text, weak or
// strong as the backend's was. nullopt if the backend's is no valid entity-tag.
std::optional<std::string> augmented_etag(std::string_view backends, std::string_view spliced_text);

// RFC 9110 13.1.2, weak comparison. `field_value`: a list of entity tags or `*`. An empty `etag` (none) matches `*`
// only.
bool if_none_match(std::string_view field_value, std::string_view etag) noexcept;

} // namespace sidecar
