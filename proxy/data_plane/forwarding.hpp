// Which lines of a head go on, and what stands in their place (SPEC 2, RFC 9110 7.6.1). The kept lines are the
// original bytes.
#pragma once

#include "proxy/data_plane/message_head.hpp"
#include "proxy/data_plane/outbox.hpp"
#include "sidecar/config.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace sidecar {

struct request_changes {
    bool whole_and_unencoded = false; // augment: no ranges, no conditions, no codings (SPEC 4)
    const forward_config* additions = nullptr;
    std::string_view client_address;
    std::string_view new_request_id; // added if the client sent none
};

// The request's head for the backend.
void forward_head(const request_head&, const request_changes&, outbox&);

enum class persistence : std::uint8_t { keep_alive, close };

struct answer_changes {
    persistence client = persistence::keep_alive;
    unsigned client_minor_version = 1;
    bool unchunked = false;     // an HTTP/1.0 client: no chunks, no trailers
    bool switching = false;     // 101: Connection and Upgrade go on
    bool other_content = false; // augmented: what is untrue of the new representation goes (SPEC 4)
    bool not_modified = false;  // answer 304 with this 200's head
    bool keep_coding = false;   // augmented, but still chunked, for the trailers
    std::optional<std::uint64_t> content_length;
    std::string_view etag; // in place of the backend's, if it sent one and this is not empty
};

// The answer's head for the client.
void forward_head(const answer_head&, const answer_changes&, outbox&);

// Trailer lines that would be untrue of an augmented body are left out.
std::string true_trailers(std::string_view lines);

} // namespace sidecar
