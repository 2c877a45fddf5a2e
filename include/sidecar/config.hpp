// The whole configuration as plain values, with the defaults. sidecar.yaml explains each key; proxy/config reads it.
// A config is immutable once published; a reload publishes another.
#pragma once

#include "sidecar/readiness.hpp"
#include "sidecar/rule.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sidecar {

using std::chrono::milliseconds;

struct endpoint {
    std::string host; // a name or an IP literal, IPv6 without brackets
    std::uint16_t port = 0;
    std::string path{}; // of a Unix socket; host and port say nothing then
    friend bool operator==(const endpoint&, const endpoint&) = default;
};

inline constexpr std::size_t kib = 1024;
inline constexpr std::size_t mib = 1024 * kib;

struct listen_config {
    endpoint address{"0.0.0.0", 8080};
    unsigned socket_mode = 0660; // of the file, where the address is a Unix socket
    int backlog = 4096;
    friend bool operator==(const listen_config&, const listen_config&) = default;
};

enum class half_close : std::uint8_t { serve, abort };

struct downstream_config {
    std::size_t connections_max = 0; // 0: auto, from the descriptor limit
    milliseconds idle_timeout{75'000};
    milliseconds header_timeout{10'000};
    milliseconds body_timeout{60'000};
    milliseconds write_timeout{60'000};
    milliseconds tunnel_timeout{3'600'000};
    std::size_t target_bytes_max = 32 * kib;
    std::size_t header_bytes_max = 128 * kib; // request line included
    std::size_t header_fields_max = 256;
    std::size_t chunk_line_bytes_max = 4 * kib; // size and extensions of one chunk, both directions
    std::size_t trailer_bytes_max = 16 * kib;   // both directions
    std::size_t drain_bytes_max = 64 * kib;     // of the body of a request that gets a local reply
    std::size_t linger_bytes_max = mib;         // read and thrown away after a response that ends the connection
    milliseconds linger_timeout{2'000};         // likewise
    half_close on_half_close = half_close::serve;
};

enum class on_failure : std::uint8_t { answer, close };

struct upstream_config {
    endpoint address{"127.0.0.1", 3000};
    milliseconds connect_timeout{1'000};
    milliseconds connect_retry{10'000};
    milliseconds response_timeout{120'000};
    milliseconds body_timeout{300'000};
    milliseconds write_timeout{60'000};
    milliseconds idle_timeout{15'000};
    milliseconds reuse_for_writes{2'000};   // a kept connection takes a write for so long after its last use
    std::size_t connections_max = 0;        // 0: auto, as many as clients
    std::size_t idle_connections_max = 256; // over all workers
    std::size_t pending_max = 1024;         // requests that wait for a connection, over all workers
    milliseconds queue_timeout{10'000};     // one of them, for so long
    std::size_t header_bytes_max = 128 * kib;
    std::size_t header_fields_max = 256;
    on_failure unreachable = on_failure::answer;
    on_failure no_answer = on_failure::close; // DukeDSClient tries again; a 502 would end its upload
};

struct request_header {
    std::string name;
    std::string value; // or:
    std::string file;  // read again for each poll; trailing line ends are cut
};

struct status_config {
    std::string url = "http://127.0.0.1:3000/internal/consistency";
    std::string socket; // path of a Unix socket to ask through; empty: url's host and port
    milliseconds interval{1'000};
    double jitter = 0.1; // of the interval, either way
    milliseconds timeout{5'000};
    milliseconds max_age{30'000};
    milliseconds backoff_max{30'000};
    milliseconds wait{20'000}; // `Prefer: wait` (RFC 7240); 0: not asked for
    std::size_t document_bytes_max = 128 * mib;
    unlisted unlisted_means = unlisted::ready;
    bool expose = false;
    std::string ca_file; // for https; empty: the system's
    std::vector<request_header> headers;
};

struct rules_config {
    std::string prefix = "/api/v1";
    std::vector<rule> rules = dds_rules();   // in the order in which they are asked: the file's, then the built-in ones
    bool builtin_rules = true;               // where a file is read: whether dds_rules() come behind its own
    std::size_t augment_body_max = mib;      // a larger response passes as it came
    std::size_t augment_held_max = 64 * mib; // what all that are held may take together, over all workers
    std::size_t learn_body_max = 64 * kib;   // a larger response teaches nothing
    std::size_t learn_entries_max = 4096;    // between two polls
};

struct own_header {
    std::string name;
    std::string value;
};

struct own_answers_config {
    std::chrono::seconds retry_after{1};
    std::vector<std::string> cors_allow_origins{"*"}; // empty: no CORS headers
    std::vector<std::string> cors_expose_headers;
    std::vector<own_header> headers;
};

struct forward_config {
    bool x_forwarded_for = false;  // append the client's address
    std::string x_forwarded_proto; // set to this; empty: untouched
    bool x_request_id = false;     // add one where the client sent none
    bool x_request_start = false;  // likewise: t=SECONDS.MICROSECONDS
};

struct admin_config {
    std::optional<endpoint> address = endpoint{"0.0.0.0", 9090}; // nullopt: off
    std::vector<std::string> hosts; // names that it answers to, besides addresses and localhost
};

enum class log_level : std::uint8_t { debug, info, warn, error };
enum class access_log : std::uint8_t { all, errors, off };

struct log_config {
    log_level level = log_level::info;
    access_log access = access_log::all;
    milliseconds slower_than{0};    // requests that took longer have a line in any case; 0: none for that
    std::size_t buffer_bytes = mib; // per worker; when full, lines are dropped and counted
};

struct drain_config {
    milliseconds accept_for{5'000};
    milliseconds timeout{25'000};
};

struct config {
    listen_config listen;
    unsigned workers = 0; // 0: auto, from the CPU quota of the cgroup
    downstream_config downstream;
    upstream_config upstream;
    status_config status;
    rules_config rules;
    own_answers_config own_answers;
    forward_config forward;
    admin_config admin;
    log_config log;
    drain_config drain;
};

} // namespace sidecar
