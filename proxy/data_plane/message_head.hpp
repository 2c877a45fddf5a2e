// Reads the head of a request or an answer. Since the original bytes travel on, whatever two readers could take
// differently is refused (RFC 9112, SPEC 2.2). No I/O.
#pragma once

#include "proxy/data_plane/body_framing.hpp"
#include "sidecar/message.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

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
    header_too_large, // 431 or 502
    too_many_fields,  // 431 or 502
    target_too_long,  // 414
};

struct head_limits {
    std::size_t header_bytes_max;
    std::size_t header_fields_max;
    std::size_t target_bytes_max;
};

// Views into the bytes that were read; valid while they stand.
struct message_head {
    std::string_view bytes;      // start line to the empty line, whole
    std::string_view start_line; // CRLF included
    unsigned minor_version = 1;  // HTTP/1.x
    std::vector<field_line> fields;
    std::vector<known_field> kinds;          // of `fields`, in step
    std::vector<std::string_view> nominated; // by Connection, without those that may never be dropped
    body_framing body;
    bool connection_close = false;
    bool connection_keep_alive = false;
    bool connection_upgrade = false;
    const char* complaint = ""; // if malformed: what is wrong

    // The first field of this kind, or nullptr.
    const field_line* find(known_field kind) const noexcept;
    std::string_view value_of(known_field kind) const noexcept; // empty if absent
    bool persistent() const noexcept { return !connection_close && (minor_version == 1 || connection_keep_alive); }
    void clear() noexcept;
};

struct request_head : message_head {
    std::string_view method;
    std::string_view target;    // as it came
    std::string_view path;      // target in origin form (or `*`): without the scheme and authority of an absolute one
    std::string_view authority; // of an absolute target: goes on as Host
    bool expects_continue = false;
    bool upgrades_to_websocket = false;
    bool odd_target = false; // with bytes that no URI has, but unambiguous

    bool is_idempotent() const noexcept; // RFC 9110 9.2.2
    request_view view() const noexcept { return {method, path, fields, nominated}; }
    void clear() noexcept;
};

struct answer_head : message_head {
    int status = 0;
    std::string_view reason;
    void clear() noexcept;
};

// `from` lets a later call skip what an earlier one has searched for the end in vain.
head_status read_request_head(std::string_view bytes, std::size_t& from, const head_limits&, request_head& into);

// `to_head`: answers a HEAD request, so no body follows whatever the head says. 1xx, 204 and 304 have none either.
// `body` is set accordingly.
head_status read_answer_head(std::string_view bytes, std::size_t& from, const head_limits&, bool to_head,
                             answer_head& into);

} // namespace sidecar
