// What a response's body says and what goes into it (docs/behaviour.md 4 and 7), and its validators. Pure.
#pragma once

#include "sidecar/json_text.hpp"
#include "sidecar/result.hpp"
#include "sidecar/uuid.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

// Why a response is relayed unmodified although it was to be augmented.
enum class not_augmented : std::uint8_t {
    not_200,
    not_json,
    encoded,
    too_large,
    no_room, // what all collected bodies of a worker may hold together is used up
    invalid_json,
    not_an_object,
    number_out_of_range, // beyond 64 bits or 1.8e308: valid JSON that the parser can't vouch for
    too_deep,            // nested beyond what is read
    backends_own_word,   // the backend says `info` itself
    count_
};

// By enum not_augmented: a word for logs and a label for metrics.
inline constexpr auto not_augmented_words =
    std::to_array<std::string_view>({"not_200", "not_json", "encoded", "too_large", "no_room", "invalid_json",
                                     "not_an_object", "number_out_of_range", "too_deep", "backends_own_word"});
static_assert(not_augmented_words.size() == static_cast<std::size_t>(not_augmented::count_));

constexpr std::string_view to_string(not_augmented why) noexcept {
    return not_augmented_words[static_cast<std::size_t>(why)];
}

// Where the bytes go in: body[0, at) + text + body[at, end). Nothing else changes.
struct insertion {
    std::size_t at = 0;
    std::string text;
};

// Inserts {"info":{"resource_consistency":CONSISTENCY}} into `body`, which must be one valid JSON object (validated
// whole). An `info` object of the backend's own without `resource_consistency` gets that member; with it, or an `info`
// that is not an object: backends_own_word. With duplicate `info` keys the last one is the one readers see.
boost::system::result<insertion, not_augmented> plan_insertion(const json_text& body, std::string_view consistency);

// The id in a JSON object's member `id` of a response that is relayed (learn). `content_encoding` as the field says
// it: empty or identity, gzip (x-gzip) and deflate are read, others not. At most `bytes_max` are inflated.
std::optional<uuid> id_of_response(const json_text& body, std::string_view content_encoding, std::size_t bytes_max);

// application/json or any +json type (RFC 6839), parameters allowed, without regard to case.
bool is_json_media_type(std::string_view content_type) noexcept;

// RFC 9110 8.8.3. The entity tag of the augmented representation: covers the backend's and the inserted text, weak or
// strong as the backend's was. nullopt if the backend's is not a valid entity-tag.
std::optional<std::string> augmented_etag(std::string_view backends, std::string_view inserted_text);

// RFC 9110 13.1.2, weak comparison, and 13.1.1, strong comparison. `field_value`: a list of entity tags or `*`. An
// empty `etag` (none) matches `*` only.
bool if_none_match(std::string_view field_value, std::string_view etag) noexcept;
bool if_match(std::string_view field_value, std::string_view etag) noexcept;

} // namespace sidecar
