#include "tests/fuzz/exchange_fuzz/script.hpp"

#include "tests/harness/http_text.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace exchange_fuzz {

using namespace std::chrono_literals;

void found(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

void expect(bool holds, const char* what, std::string_view bytes, std::string_view behind) {
    if (!holds) found(what + harness::shown(bytes) + harness::shown(behind));
}

const std::string busy = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string fresh = "0a29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string document =
    R"({"projects":[{"id":")" + busy +
    R"(","is_upload_ready":false,"is_download_ready":false,"is_a":true,"is_b":true}],"files":[]})";

void configure(sidecar::config& c, unsigned choice) {
    c.rules.augment_body_max = choice & 1 ? 1'000 : 100'000;
    c.upstream.connections_max = choice & 2 ? 1 : 0;
    c.upstream.idle_connections_max = choice & 4 ? 0 : 256;
    c.upstream.connect_retry = 100ms;
    if (!(choice & 8)) return;
    c.rules.rules = {
        {"info", "GET", "/projects/{id}", "info", sidecar::augment_rule{"projects", {"is_a", "is_b"}, {}}},
        {"gate", "POST", "/projects/{id}/uploads", "", sidecar::gate_rule{"projects", "is_a", {}, {}}},
    };
}

// Whole, and nothing else: rubbish may lie within it.
std::optional<tag> tag_of(std::string_view head) {
    const auto value = harness::field_of(head, "X-Tag");
    if (!value || value->size() < 5) return {};
    tag made;
    const char* const last = value->data() + value->size();
    const auto client = std::from_chars(value->data() + 1, last, made.client);
    if (client.ec != std::errc() || client.ptr == last) return {};
    std::from_chars(client.ptr + 1, last, made.exchange);
    return *value == made.text() ? std::optional(made) : std::nullopt;
}

std::string filled(const tag& of, std::size_t size) {
    std::string body;
    while (body.size() < size) body += of.text();
    body.resize(size);
    return body;
}

} // namespace exchange_fuzz
