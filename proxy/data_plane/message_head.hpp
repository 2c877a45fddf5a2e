// The head of a request or a response: what it says, and the bytes that it says it with. Since the original bytes
// travel on, whatever two readers could take differently is refused (RFC 9112, docs/behaviour.md 2.2). No I/O.
#pragma once

#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/buffer.hpp"
#include "sidecar/message.hpp"

#include <boost/container/small_vector.hpp>

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidecar {

// The fields that the proxy itself acts on.
enum class known_field : std::uint8_t {
    other,
    host,
    connection,
    keep_alive,
    proxy_connection,
    te,
    transfer_encoding,
    content_length,
    upgrade,
    expect,
    trailer,
    accept_encoding,
    content_type,
    content_encoding,
    etag,
    last_modified,
    origin,
};

enum class head_status : std::uint8_t {
    complete,
    need_more,
    malformed,        // 400 or 502
    not_implemented,  // 501: a request with a transfer coding that nobody here knows
    header_too_large, // 431 or 502
    too_many_fields,  // 431 or 502
    target_too_long,  // 414
};

struct head_limits {
    std::size_t header_bytes_max;
    std::size_t header_fields_max;
    std::size_t target_bytes_max;
};

// Owns its bytes: after reading, `head.storage = in.take_front(head.consumed)` takes them along, and the views below
// stay good for as long as the head lives, whatever is read into `in`. Needs no memory of its own in the usual case.
struct message_head {
    template <class T, std::size_t in_place>
    using list = boost::container::small_vector<T, in_place>;

    buffer storage;              // what the views point into, once taken; reading leaves it alone
    std::size_t consumed = 0;    // how many of the bytes read are the head's, blank lines before it included
    std::string_view bytes;      // start line to the empty line, whole
    std::string_view start_line; // CRLF included
    unsigned minor_version = 1;  // HTTP/1.x: 0 or 1. A later one is read as 1 (RFC 9110 2.5)
    list<field_line, 32> fields;
    list<known_field, 32> kinds;         // of `fields`, in step
    list<std::string_view, 8> nominated; // by Connection, without those that may never be dropped
    body_framing body;
    bool connection_close = false;
    bool connection_keep_alive = false;
    bool connection_upgrade = false;
    const char* complaint = ""; // if it is refused: what is wrong

    // The first field of this kind, or nullptr.
    const field_line* find(known_field kind) const noexcept;
    std::string_view value_of(known_field kind) const noexcept; // empty if absent
    bool persistent() const noexcept { return !connection_close && (minor_version == 1 || connection_keep_alive); }
    void clear() noexcept; // all but `storage`
};

struct request_head : message_head {
    std::string_view method;
    std::string_view target;    // as it came
    std::string_view path;      // target in origin form (or `*`): without the scheme and authority of an absolute one
    std::string_view authority; // of an absolute target: goes on as Host
    bool expects_continue = false;
    bool upgrades_to_websocket = false;
    bool odd_target = false; // with bytes that no URI has, but unambiguous

    bool is_idempotent() const noexcept;                                            // RFC 9110 9.2.2
    bool has_body() const noexcept { return body.how != body_framing::kind::none; } // Content-Length: 0 is none
    request_view view() const noexcept {
        return {method, path, {fields.data(), fields.size()}, {nominated.data(), nominated.size()}};
    }
    void clear() noexcept;
};

struct response_head : message_head {
    int status = 0;
    std::string_view reason;
    bool switches_to_websocket = false; // a 101 to that and to nothing else

    bool is_interim() const noexcept { return status < 200 && status != 101; }
    void clear() noexcept;
};

// What is said of a head depends on its bytes alone, never on how they were cut: a line that is refused at once when it
// comes alone is refused for the same reason when all came together. `searched` is 0 for a new head and lets a later
// call skip what an earlier one has looked at.
//
// complete:   `into` is filled. `consumed` bytes are the head's.
// need_more:  `into` is empty and points to nothing, so that `bytes` may move.
// otherwise:  refused. `into` holds what was read until then (method and target perhaps, for the log), as views into
//             `bytes`, and `consumed` is all of them.
head_status read_request_head(std::string_view bytes, std::size_t& searched, const head_limits&, request_head& into);

// `to_head`: answers a HEAD request, so no body follows whatever the head says. 1xx, 204 and 304 have none either.
// `body` is set accordingly.
head_status read_response_head(std::string_view bytes, std::size_t& searched, const head_limits&, bool to_head,
                               response_head& into);

} // namespace sidecar
