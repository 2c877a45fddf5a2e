// Which lines of a head go on, and what stands in their place (docs/behaviour.md 2, RFC 9110 7.6.1). The kept lines are
// the original bytes. No I/O.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "sidecar/config.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

struct request_changes {
    bool whole_and_unencoded = false; // augment: no ranges, no conditions, no codings (docs/behaviour.md 4)
    const forward_config* additions = nullptr;
    std::string_view client_address;
    std::string_view new_request_id;    // added if config says so and the client sent none
    std::string_view request_start;     // "t=SECONDS.MICROSECONDS"; not empty: X-Request-Start is added where none came
    std::string_view backend_authority; // the Host of an HTTP/1.0 request that has none
};

// Appends the request's head as the backend gets it.
void write_request_head(const request_head&, const request_changes&, buffer& out);

enum class persistence : std::uint8_t { keep_alive, close };

struct response_changes {
    persistence client = persistence::keep_alive;
    unsigned client_minor_version = 1;
    bool dechunked = false;              // for an HTTP/1.0 client: no chunks, no trailers
    bool switching = false;              // 101: Connection and Upgrade go on
    bool representation_changed = false; // augmented: what is untrue of the new one goes (docs/behaviour.md 4)
    bool not_modified = false;           // say 304 with this 200's head
    bool keep_coding = false;            // augmented, but still chunked, for the trailers
    std::optional<std::uint64_t> content_length;
    std::string_view etag; // in place of the backend's, if it sent one and this is not empty
};

// Appends the response's head as the client gets it.
void write_response_head(const response_head&, const response_changes&, buffer& out);

// Trailer lines without those that would be untrue of an augmented body.
std::string drop_stale_trailers(std::string_view lines);

} // namespace sidecar
