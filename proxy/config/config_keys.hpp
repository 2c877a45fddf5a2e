// Every key of sidecar.yaml: its name, what it is for, the value it sets and the values it takes. Reading, printing,
// the JSON Schema and the reference all go by this list, in its order, so none can forget a key. What keys have to do
// with each other is in config_checks.cpp.
#pragma once

#include "proxy/config/config_values.hpp"
#include "sidecar/config.hpp"
#include "sidecar/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace sidecar {

struct key {
    std::string_view name;
    std::string_view about; // one line, as it stands in sidecar.yaml
};

enum class presence : std::uint8_t {
    required, // no default
    shown,
    if_set // empty by default, and then not printed
};

template <class T>
struct range {
    T least{};
    T most{};
};

// A word that a key takes. `instead`: it is deprecated, and this one means the same.
template <class Enum>
struct word_for {
    std::string_view spelling;
    Enum meaning;
    std::string_view instead{};
};
template <class Enum>
using words_for = std::initializer_list<word_for<Enum>>;

enum class automatic : std::uint8_t { no, yes }; // 0 is spelled `auto`
enum class port_zero : std::uint8_t { refused, any_free };

inline constexpr range<milliseconds> timeout_range{milliseconds(1), std::chrono::hours(24 * 30)};
inline constexpr range<milliseconds> timeout_or_none_range{milliseconds(0), std::chrono::hours(24 * 30)};
inline constexpr range<std::uint64_t> connections_range{1, 1'000'000};
inline constexpr range<std::uint64_t> header_range{kib, 16 * mib};
inline constexpr range<std::uint64_t> header_fields_range{8, 65'536};
inline constexpr std::size_t list_items_max = 64;

template <class Visitor>
void keys(Visitor& v, listen_config& c) {
    v.address({"address", "all of the pod's IPv4 addresses; \"[::]:8080\" takes both families; or unix:/PATH"},
              c.address, port_zero::any_free);
    v.file_mode({"socket_mode", "of a Unix socket's file: who may connect"}, c.socket_mode);
    v.count({"backlog", "held by the kernel until they are accepted (net.core.somaxconn caps it)"}, c.backlog,
            {1, 65'535});
}

template <class Visitor>
void keys(Visitor& v, upstream_config& c) {
    v.address({"address", "in the same pod; a name is resolved again and again; or unix:/run/dds/puma.sock"}, c.address,
              port_zero::refused);
    v.duration({"connect_timeout", "for one attempt: the backend is next door"}, c.connect_timeout, timeout_range);
    v.duration({"connect_retry", "goes on trying: a restarting container comes back within it; 0s: one attempt"},
               c.connect_retry, timeout_or_none_range);
    v.duration({"response_timeout", "silence before a response, then 504; above the backend's own 15 s + 90 s"},
               c.response_timeout, timeout_range);
    v.duration({"body_timeout", "silence within a response, which is cut then: a stream of events may pause"},
               c.body_timeout, timeout_range);
    v.duration({"write_timeout", "the backend takes nothing of a request any more"}, c.write_timeout, timeout_range);
    v.duration({"idle_timeout", "a kept connection is closed after it; below the backend's own (Puma: 20 s)"},
               c.idle_timeout, timeout_range);
    v.duration({"reuse_for_writes", "since its last use, for which a kept connection takes a POST; 0s: never"},
               c.reuse_for_writes, timeout_or_none_range);
    v.count({"max_connections", "open at once over all workers, each its share, rounded up; auto: as many as clients"},
            c.connections_max, connections_range, automatic::yes);
    v.count({"max_idle_connections", "kept for use again over all workers, each its share, rounded up"},
            c.idle_connections_max, {0, 1'000'000});
    v.count({"max_pending", "requests that wait for a connection, over all workers, likewise; more get a 503"},
            c.pending_max, {0, 1'000'000});
    v.duration({"queue_timeout", "of a request that waits for a connection, then 503"}, c.queue_timeout, timeout_range);
    v.size({"max_header", "of a response; a larger one is a 502"}, c.header_bytes_max, header_range);
    v.count({"max_header_fields", "likewise"}, c.header_fields_max, header_fields_range);
    v.word({"unreachable", "503 with Retry-After; close: no response, as without a proxy (clients retry at once)"},
           c.unreachable, {{"answer", on_failure::answer}, {"close", on_failure::close}});
    v.word({"no_answer", "as the backend did: DukeDSClient then tries again; answer: 502, which ends its upload"},
           c.no_answer, {{"close", on_failure::close}, {"answer", on_failure::answer}});
}

template <class Visitor>
void keys(Visitor& v, request_header& c) {
    v.text({"name", "of the field"}, c.name, poll_field_name_text, presence::required);
    v.secret({"value", "its value, or:"}, c.value, secret_value_text);
    v.text({"file", "which holds the value; read again for each poll"}, c.file, file_text, presence::if_set);
}

template <class Visitor>
void keys(Visitor& v, status_config& c) {
    v.url({"url", "http or https; no secrets here: use headers"}, c.url);
    v.text({"socket", "of a Unix socket through which url is asked; empty: at its host and port"}, c.socket,
           socket_path_or_none_text);
    v.duration({"interval", "between two polls: how old news may be where the backend holds none"}, c.interval,
               {milliseconds(10), std::chrono::hours(1)});
    v.number({"jitter", "of the interval, either way, so that a fleet does not poll in step"}, c.jitter, {0, 0.5});
    v.duration({"timeout", "for a whole poll, on top of what the backend holds it"}, c.timeout,
               {milliseconds(10), std::chrono::hours(1)});
    v.duration({"max_age", "an older snapshot says nothing any more; must be more than wait + timeout"}, c.max_age,
               {milliseconds(100), std::chrono::hours(24)});
    v.duration({"max_backoff", "after failures the interval doubles up to this"}, c.backoff_max,
               {milliseconds(10), std::chrono::hours(1)});
    v.duration({"wait", "the backend may hold a poll until something changes (Prefer: wait); 0s: not asked"}, c.wait,
               {milliseconds(0), std::chrono::hours(1)});
    v.size({"max_document", "about a million entries"}, c.document_bytes_max, {kib, 2048 * mib});
    v.word({"unlisted", "what the snapshot does not list; unknown: for backends that list everything"},
           c.unlisted_means, {{"ready", unlisted::ready}, {"unknown", unlisted::unknown}});
    v.flag({"expose", "whether clients get at this path, if it lies on the backend they are proxied to"}, c.expose);
    v.text({"ca_file", "PEM, for https with a private CA; empty: the system's"}, c.ca_file, file_or_none_text);
    v.list({"headers", "of each poll: [{name: Authorization, file: /run/secrets/token}], or a value"}, c.headers);
}

template <class Visitor>
void keys(Visitor& v, augment_rule& c) {
    v.text({"collection", "of the status document"}, c.collection, member_text, presence::required);
    v.texts({"members", "booleans of its entries, which are added to the response"}, c.members, member_text,
            presence::required);
    v.word({"unknown", "where nothing is known: omit adds no info"}, c.unknown,
           {{"omit", unknown_augment::omit},
            {"ready", unknown_augment::ready},
            {"not_ready", unknown_augment::not_ready}});
}

template <class Visitor>
void keys(Visitor& v, gate_rule& c) {
    v.text({"collection", "of the status document"}, c.collection, member_text, presence::required);
    v.text({"member", "boolean of its entries: the request is a 404 while it is false"}, c.member, member_text,
           presence::required);
    v.texts({"require", "fields without which the request is forwarded: the backend says 401 itself"}, c.require,
            field_name_text);
    v.word({"unknown", "where nothing is known"}, c.unknown,
           {{"pass", unknown_gate::pass}, {"reject", unknown_gate::reject}});
}

template <class Visitor>
void keys(Visitor& v, learn_rule& c) {
    v.text({"collection", "of the status document"}, c.collection, member_text, presence::required);
    v.texts({"members", "booleans that are false until a later poll"}, c.members, member_text, presence::required);
    v.word({"id", "where it is read: member `id` of the response, or {id} of the path"}, c.id,
           {{"body", id_from::body}, {"path", id_from::path}});
}

template <class Visitor>
void keys(Visitor& v, rule& c) {
    v.text({"name", "in logs and metrics"}, c.name, rule_name_text, presence::required);
    v.text({"method", "in capitals"}, c.method, method_text, presence::required);
    v.text({"path", "a template below api.prefix: {id} stands for a UUID"}, c.path, template_text, presence::required);
    v.text({"query", "a parameter that must be there"}, c.query, parameter_text, presence::if_set);
    // In the variant's order.
    v.alternatives(c.action, key{"augment", "adds members of the resource's readiness to the response"},
                   key{"gate", "404 while the member is not ready"},
                   key{"learn", "a success makes the resource not ready until a later poll"});
}

template <class Visitor>
void keys(Visitor& v, own_header& c) {
    v.text({"name", "of the field"}, c.name, answer_field_name_text, presence::required);
    v.text({"value", "its value"}, c.value, field_value_text, presence::required);
}

template <class Visitor>
void keys(Visitor& v, own_answers_config& c) {
    v.duration({"retry_after", "of the gate's 404 and of a 503, in whole seconds"}, c.retry_after,
               {std::chrono::seconds(1), std::chrono::hours(1)});
    v.section({"cors", "as the backend has it, or browsers hide these responses from the portal"}, [&](Visitor& cors) {
        cors.texts({"allow_origins", "the backend's CORS_ORIGINS; []: no CORS headers"}, c.cors_allow_origins,
                   origin_text);
        cors.texts({"expose_headers", "the backend's are for paging, which these responses have not"},
                   c.cors_expose_headers, field_name_text);
    });
    v.list({"headers", "more of them: [{name: X-Frame-Options, value: DENY}]"}, c.headers);
}

template <class Visitor>
void keys(Visitor& v, forward_config& c) {
    v.flag({"x_forwarded_for", "the client's address, appended"}, c.x_forwarded_for);
    v.text({"x_forwarded_proto", "http or https, in place of the client's word; empty: left alone"},
           c.x_forwarded_proto, proto_text);
    v.flag({"x_request_id", "a new one where the client sent none"}, c.x_request_id);
    v.flag({"x_request_start", "t=SECONDS.MICROSECONDS, likewise: rack-timeout and Puma count the wait from it"},
           c.x_request_start);
}

template <class Visitor>
void keys(Visitor& v, downstream_config& c) {
    v.count({"max_connections", "at once over all workers, each its share, rounded up; then 503; auto: by descriptors"},
            c.connections_max, connections_range, automatic::yes);
    v.duration({"idle_timeout", "between two requests of a kept connection"}, c.idle_timeout, timeout_range);
    v.duration({"header_timeout", "of a header from its first byte on, then 408; of a new client's silence"},
               c.header_timeout, timeout_range);
    v.duration({"body_timeout", "silence within a request's body"}, c.body_timeout, timeout_range);
    v.duration({"write_timeout", "the client takes nothing of its response any more"}, c.write_timeout, timeout_range);
    v.duration({"tunnel_timeout", "silence in both directions of an upgraded connection"}, c.tunnel_timeout,
               timeout_range);
    v.size({"max_target", "then 414; the backend's own limits are 8 kB of path and 10 kB of query"}, c.target_bytes_max,
           {64, mib});
    v.size({"max_header", "request line included, then 431; the backend's own limit is about 100 kB"},
           c.header_bytes_max, header_range);
    v.count({"max_header_fields", "then 431"}, c.header_fields_max, header_fields_range);
    v.size({"max_chunk_line", "size and extensions of one chunk, in both directions"}, c.chunk_line_bytes_max,
           {16, mib});
    v.size({"max_trailer", "in both directions"}, c.trailer_bytes_max, {16, mib});
    v.renamed("max_drain", "max_discard");
    v.size({"max_discard", "of a body that the response did not need, so that the connection stays usable"},
           c.drain_bytes_max, {0, 1024 * mib});
    v.size({"max_linger", "read and thrown away after the last response, so that no reset overtakes it"},
           c.linger_bytes_max, {0, 1024 * mib});
    v.duration({"linger_timeout", "likewise"}, c.linger_timeout, {milliseconds(0), std::chrono::minutes(10)});
    v.word({"on_half_close", "a client that has ended its side still gets its response; abort: it is gone"},
           c.on_half_close, {{"serve", half_close::serve}, {"abort", half_close::abort}});
}

template <class Visitor>
void keys(Visitor& v, admin_config& c) {
    v.address_or_off({"address", "not the clients' port: keep it inside the cluster; off: none"}, c.address,
                     port_zero::any_free);
    v.texts({"hosts", "names that it answers to, besides addresses and localhost; others get 421"}, c.hosts,
            host_name_text);
}

template <class Visitor>
void keys(Visitor& v, log_config& c) {
    v.word({"level", "and those above it"}, c.level,
           {{"debug", log_level::debug},
            {"info", log_level::info},
            {"warn", log_level::warn},
            {"error", log_level::error}});
    v.word({"access", "a line for each request, with what was decided and why; errors: for 4xx and 5xx alone"},
           c.access,
           {{"all", access_log::all},
            {"errors", access_log::errors},
            {"off", access_log::off},
            {"true", access_log::all, "all"},
            {"false", access_log::off, "off"}});
    v.duration({"slower_than", "a request that took longer has a line in any case; 0s: not for that"}, c.slower_than,
               timeout_or_none_range);
    v.size({"buffer", "for each worker; if stdout is too slow, lines are dropped and counted"}, c.buffer_bytes,
           {4 * kib, 1024 * mib});
}

template <class Visitor>
void keys(Visitor& v, drain_config& c) {
    v.duration({"accept_for", "as long as the cluster may still send new connections"}, c.accept_for,
               timeout_or_none_range);
    v.duration({"timeout", "then for requests under way; both together within terminationGracePeriodSeconds"},
               c.timeout, timeout_or_none_range);
}

template <class Visitor>
void keys(Visitor& v, config& c) {
    v.section({"listen", "Where clients connect."}, c.listen);
    v.section({"upstream", "The backend that all requests go to, unless a rule answers."}, c.upstream);
    v.section({"status", "Where readiness comes from: one complete snapshot, polled."}, c.status);
    v.section({"api", "Below which prefix the rules' paths lie."}, [&](Visitor& api) {
        api.text({"prefix", "compared as it was sent, as the backend's router does"}, c.rules.prefix, prefix_text);
    });
    v.flag({"builtin_rules", "those of the DDS are asked behind the file's own; false: only the file's"},
           c.rules.builtin_rules);
    v.list({"rules", "What is done with which requests: the first rule that selects a request has it, others are "
                     "forwarded unchanged. One with the name of a built-in rule replaces it."},
           c.rules.rules, worker_metrics::rules_max);
    v.section({"augment", "Limits of the rules that add to responses."}, [&](Visitor& augment) {
        augment.size({"max_body", "a larger response passes as it came; it is held in memory whole"},
                     c.rules.augment_body_max, {64, 1024 * mib});
        augment.size({"max_held", "of all that are held, each worker its share; beyond it they pass as they came"},
                     c.rules.augment_held_max, {64, 65'536 * mib});
    });
    v.section({"learn", "Limits of the rules that read responses."}, [&](Visitor& learn) {
        learn.size({"max_body", "a larger response teaches nothing; projects and files take 2 kB"},
                   c.rules.learn_body_max, {64, 1024 * mib});
        learn.count({"max_entries", "between two polls; beyond it the oldest are forgotten"}, c.rules.learn_entries_max,
                    {1, 65'536});
    });
    v.section({"own_answers", "The gate's 404 and the sidecar's own errors."}, c.own_answers);
    v.section({"forward", "What is added to requests: nothing, unless it is said here."}, c.forward);
    v.section({"downstream", "What a client may take up."}, c.downstream);
    v.count({"workers", "threads that serve; auto: what the cgroup's CPU quota allows"}, c.workers, {1, 1'024},
            automatic::yes);
    v.dropped("max_pipes", "bodies are no longer spliced");
    v.section({"admin", "/livez, /readyz, /status, /metrics, /config, /readiness and the page that shows them."},
              c.admin);
    v.section({"log", "JSON lines on stdout."}, c.log);
    v.section(
        {"drain", "After SIGTERM: /readyz says 503, and the listener goes on until the endpoints have heard of it."},
        c.drain);
}

} // namespace sidecar
