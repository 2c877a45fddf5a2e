// Every key of sidecar.yaml: its name, the value it sets and the values it takes. Reading and printing both go by this
// list, in its order, so neither can forget a key. What keys have to do with each other is in config_checks.cpp.
#pragma once

#include "proxy/config/config_values.hpp"
#include "sidecar/config.hpp"
#include "sidecar/metrics.hpp"

#include <chrono>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace sidecar {

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
    v.address("address", c.address, port_zero::any_free);
    v.file_mode("socket_mode", c.socket_mode);
    v.count("backlog", c.backlog, {1, 65'535});
}

template <class Visitor>
void keys(Visitor& v, upstream_config& c) {
    v.address("address", c.address, port_zero::refused);
    v.duration("connect_timeout", c.connect_timeout, timeout_range);
    v.duration("connect_retry", c.connect_retry, timeout_or_none_range);
    v.duration("response_timeout", c.response_timeout, timeout_range);
    v.duration("body_timeout", c.body_timeout, timeout_range);
    v.duration("write_timeout", c.write_timeout, timeout_range);
    v.duration("idle_timeout", c.idle_timeout, timeout_range);
    v.duration("reuse_for_writes", c.reuse_for_writes, timeout_or_none_range);
    v.count("max_connections", c.connections_max, connections_range, automatic::yes);
    v.count("max_idle_connections", c.idle_connections_max, {0, 1'000'000});
    v.count("max_pending", c.pending_max, {0, 1'000'000});
    v.duration("queue_timeout", c.queue_timeout, timeout_range);
    v.size("max_header", c.header_bytes_max, header_range);
    v.count("max_header_fields", c.header_fields_max, header_fields_range);
    v.word("unreachable", c.unreachable, {{"answer", on_failure::answer}, {"close", on_failure::close}});
    v.word("no_answer", c.no_answer, {{"answer", on_failure::answer}, {"close", on_failure::close}});
}

template <class Visitor>
void keys(Visitor& v, request_header& c) {
    v.text("name", c.name, poll_field_name_fault, presence::required);
    v.secret("value", c.value, secret_value_fault);
    v.text("file", c.file, file_fault, presence::if_set);
}

template <class Visitor>
void keys(Visitor& v, status_config& c) {
    v.url("url", c.url);
    v.duration("interval", c.interval, {milliseconds(10), std::chrono::hours(1)});
    v.number("jitter", c.jitter, {0, 0.5});
    v.duration("timeout", c.timeout, {milliseconds(10), std::chrono::hours(1)});
    v.duration("max_age", c.max_age, {milliseconds(100), std::chrono::hours(24)});
    v.duration("max_backoff", c.backoff_max, {milliseconds(10), std::chrono::hours(1)});
    v.duration("wait", c.wait, {milliseconds(0), std::chrono::hours(1)});
    v.size("max_document", c.document_bytes_max, {kib, 2048 * mib});
    v.word("unlisted", c.unlisted_means, {{"ready", unlisted::ready}, {"unknown", unlisted::unknown}});
    v.flag("expose", c.expose);
    v.text("ca_file", c.ca_file, [](std::string_view text) { return text.empty() ? text_fault{} : file_fault(text); });
    v.list("headers", c.headers);
}

template <class Visitor>
void keys(Visitor& v, augment_rule& c) {
    v.text("collection", c.collection, member_fault, presence::required);
    v.texts("members", c.members, member_fault, presence::required);
    v.word("unknown", c.unknown,
           {{"omit", unknown_augment::omit},
            {"ready", unknown_augment::ready},
            {"not_ready", unknown_augment::not_ready}});
}

template <class Visitor>
void keys(Visitor& v, gate_rule& c) {
    v.text("collection", c.collection, member_fault, presence::required);
    v.text("member", c.member, member_fault, presence::required);
    v.texts("require", c.require, field_name_fault);
    v.word("unknown", c.unknown, {{"pass", unknown_gate::pass}, {"reject", unknown_gate::reject}});
}

template <class Visitor>
void keys(Visitor& v, learn_rule& c) {
    v.text("collection", c.collection, member_fault, presence::required);
    v.texts("members", c.members, member_fault, presence::required);
    v.word("id", c.id, {{"body", id_from::body}, {"path", id_from::path}});
}

template <class Visitor>
void keys(Visitor& v, rule& c) {
    v.text("name", c.name, rule_name_fault, presence::required);
    v.text("method", c.method, method_fault, presence::required);
    v.text("path", c.path, template_fault, presence::required);
    v.text("query", c.query, parameter_fault, presence::if_set);
    v.alternatives(c.action, "augment", "gate", "learn"); // in the variant's order
}

template <class Visitor>
void keys(Visitor& v, own_header& c) {
    v.text("name", c.name, answer_field_name_fault, presence::required);
    v.text("value", c.value, field_value_fault, presence::required);
}

template <class Visitor>
void keys(Visitor& v, own_answers_config& c) {
    v.duration("retry_after", c.retry_after, {std::chrono::seconds(1), std::chrono::hours(1)});
    v.section("cors", [&](Visitor& cors) {
        cors.texts("allow_origins", c.cors_allow_origins, origin_fault);
        cors.texts("expose_headers", c.cors_expose_headers, field_name_fault);
    });
    v.list("headers", c.headers);
}

template <class Visitor>
void keys(Visitor& v, forward_config& c) {
    v.flag("x_forwarded_for", c.x_forwarded_for);
    v.text("x_forwarded_proto", c.x_forwarded_proto, proto_fault);
    v.flag("x_request_id", c.x_request_id);
    v.flag("x_request_start", c.x_request_start);
}

template <class Visitor>
void keys(Visitor& v, downstream_config& c) {
    v.count("max_connections", c.connections_max, connections_range, automatic::yes);
    v.duration("idle_timeout", c.idle_timeout, timeout_range);
    v.duration("header_timeout", c.header_timeout, timeout_range);
    v.duration("body_timeout", c.body_timeout, timeout_range);
    v.duration("write_timeout", c.write_timeout, timeout_range);
    v.duration("tunnel_timeout", c.tunnel_timeout, timeout_range);
    v.size("max_target", c.target_bytes_max, {64, mib});
    v.size("max_header", c.header_bytes_max, header_range);
    v.count("max_header_fields", c.header_fields_max, header_fields_range);
    v.size("max_chunk_line", c.chunk_line_bytes_max, {16, mib});
    v.size("max_trailer", c.trailer_bytes_max, {16, mib});
    v.size("max_drain", c.drain_bytes_max, {0, 1024 * mib});
    v.size("max_linger", c.linger_bytes_max, {0, 1024 * mib});
    v.duration("linger_timeout", c.linger_timeout, {milliseconds(0), std::chrono::minutes(10)});
    v.word("on_half_close", c.on_half_close, {{"serve", half_close::serve}, {"abort", half_close::abort}});
}

template <class Visitor>
void keys(Visitor& v, admin_config& c) {
    v.address_or_off("address", c.address, port_zero::any_free);
    v.texts("hosts", c.hosts, host_name_fault);
}

template <class Visitor>
void keys(Visitor& v, log_config& c) {
    v.word("level", c.level,
           {{"debug", log_level::debug},
            {"info", log_level::info},
            {"warn", log_level::warn},
            {"error", log_level::error}});
    v.word("access", c.access,
           {{"all", access_log::all},
            {"errors", access_log::errors},
            {"off", access_log::off},
            {"true", access_log::all, "all"},
            {"false", access_log::off, "off"}});
    v.duration("slower_than", c.slower_than, timeout_or_none_range);
    v.size("buffer", c.buffer_bytes, {4 * kib, 1024 * mib});
}

template <class Visitor>
void keys(Visitor& v, drain_config& c) {
    v.duration("accept_for", c.accept_for, timeout_or_none_range);
    v.duration("timeout", c.timeout, timeout_or_none_range);
}

template <class Visitor>
void keys(Visitor& v, config& c) {
    v.section("listen", c.listen);
    v.section("upstream", c.upstream);
    v.section("status", c.status);
    v.section("api", [&](Visitor& api) { api.text("prefix", c.rules.prefix, prefix_fault); });
    v.flag("builtin_rules", c.rules.builtin_rules);
    v.list("rules", c.rules.rules, worker_metrics::rules_max);
    v.section("augment", [&](Visitor& augment) {
        augment.size("max_body", c.rules.augment_body_max, {64, 1024 * mib});
        augment.size("max_held", c.rules.augment_held_max, {64, 65'536 * mib});
    });
    v.section("learn", [&](Visitor& learn) {
        learn.size("max_body", c.rules.learn_body_max, {64, 1024 * mib});
        learn.count("max_entries", c.rules.learn_entries_max, {1, 65'536});
    });
    v.section("own_answers", c.own_answers);
    v.section("forward", c.forward);
    v.section("downstream", c.downstream);
    v.count("workers", c.workers, {1, 1'024}, automatic::yes);
    v.dropped("max_pipes", "bodies are no longer spliced");
    v.section("admin", c.admin);
    v.section("log", c.log);
    v.section("drain", c.drain);
}

} // namespace sidecar
