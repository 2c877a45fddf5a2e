#include "proxy/data_plane/forwarding.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace sidecar {

namespace {

template <std::size_t n>
bool is_one_of(std::string_view name, const std::array<std::string_view, n>& names) noexcept {
    return std::any_of(names.begin(), names.end(), [&](std::string_view each) { return iequals(each, name); });
}

constexpr std::array<std::string_view, 5> conditions_and_codings{"accept-encoding", "range", "if-range",
                                                                 "if-none-match", "if-modified-since"};
constexpr std::array<std::string_view, 6> untrue_of_other_content{"last-modified",  "content-md5", "digest",
                                                                  "content-digest", "repr-digest", "accept-ranges"};
// What describes the body a 304 does not have; its other fields go on (RFC 9110 15.4.5).
constexpr std::array<std::string_view, 3> of_the_body{"content-type", "content-language", "trailer"};

class decimal {
public:
    explicit decimal(std::uint64_t number) : end_(std::to_chars(digits_, digits_ + sizeof digits_, number).ptr) {}
    operator std::string_view() const noexcept { return {digits_, static_cast<std::size_t>(end_ - digits_)}; }

private:
    char digits_[20];
    const char* end_;
};

// Meant for the next hop alone, both ways (RFC 9110 7.6.1); others depend on the message.
constexpr bool is_of_the_hop(known_field kind) noexcept {
    return kind == known_field::connection || kind == known_field::keep_alive || kind == known_field::proxy_connection;
}

bool is_nominated(const message_head& head, std::string_view name) noexcept {
    return std::any_of(head.nominated.begin(), head.nominated.end(),
                       [&](std::string_view each) { return iequals(each, name); });
}

bool goes_on(const request_head& head, std::size_t i, const request_changes& changes) noexcept {
    const auto& field = head.fields[i];
    if (is_of_the_hop(head.kinds[i])) return false;
    switch (head.kinds[i]) {
    case known_field::te:
        return iequals(field.value, "trailers");
    case known_field::upgrade:
        return head.upgrades_to_websocket;
    case known_field::host:
    case known_field::content_length:
    case known_field::transfer_encoding:
        return true;
    default:
        break;
    }
    if (is_nominated(head, field.name)) return false;
    if (changes.whole_and_unencoded && is_one_of(field.name, conditions_and_codings)) return false;
    return !(changes.additions && !changes.additions->x_forwarded_proto.empty() &&
             iequals(field.name, "x-forwarded-proto"));
}

void add_request_line(const request_head& head, outbox& out) {
    const bool origin_form = head.path.data() == head.target.data() && !head.path.empty();
    if (origin_form && head.minor_version == 1) {
        out.add(head.start_line);
        return;
    }
    std::string_view before_path;
    if (head.path.empty())
        before_path = head.method == "OPTIONS" ? "*" : "/"; // RFC 9112 3.2.4
    else if (head.path.front() == '?')
        before_path = "/";
    out.add_own({head.method, " ", before_path, head.path, " HTTP/1.1\r\n"});
}

// What config asks to add, and what the backend's version of HTTP wants.
void add_lines(const request_head& head, const request_changes& changes, outbox& out) {
    if (!head.find(known_field::host) && head.authority.empty()) out.add("Host: \r\n"); // from HTTP/1.0
    if (head.upgrades_to_websocket) out.add("Connection: Upgrade\r\n");
    if (changes.whole_and_unencoded) out.add("Accept-Encoding: identity\r\n");
    if (!changes.additions) return;
    const auto& added = *changes.additions;
    if (added.x_forwarded_for) out.add_own({"X-Forwarded-For: ", changes.client_address, "\r\n"});
    if (!added.x_forwarded_proto.empty()) out.add_own({"X-Forwarded-Proto: ", added.x_forwarded_proto, "\r\n"});
    if (added.x_request_id && !head.view().find("x-request-id"))
        out.add_own({"X-Request-Id: ", changes.new_request_id, "\r\n"});
}

bool goes_on(const answer_head& head, std::size_t i, const answer_changes& changes) noexcept {
    const auto& field = head.fields[i];
    if (is_of_the_hop(head.kinds[i])) return false;
    switch (head.kinds[i]) {
    case known_field::upgrade:
        return changes.switching;
    case known_field::content_length:
        return !changes.other_content;
    case known_field::transfer_encoding:
    case known_field::trailer:
        return changes.keep_coding || !(changes.unchunked || changes.other_content);
    case known_field::etag:
        if (changes.other_content) return false;
        break;
    default:
        break;
    }
    if (is_nominated(head, field.name)) return false;
    if (changes.other_content && is_one_of(field.name, untrue_of_other_content)) return false;
    return !(changes.not_modified && is_one_of(field.name, of_the_body));
}

void add_status_line(const answer_head& head, const answer_changes& changes, outbox& out) {
    if (changes.not_modified) {
        out.add("HTTP/1.1 304 Not Modified\r\n");
    } else if (head.minor_version == 1) {
        out.add(head.start_line);
    } else { // a proxy speaks for itself in the version (RFC 9110 2.5)
        out.add("HTTP/1.1");
        out.add(head.start_line.substr(8));
    }
}

} // namespace

void forward_head(const request_head& head, const request_changes& changes, outbox& out) {
    add_request_line(head, out);
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        if (!goes_on(head, i, changes)) continue;
        if (head.kinds[i] == known_field::host && !head.authority.empty())
            out.add_own({head.fields[i].name, ": ", head.authority, "\r\n"});
        else
            out.add(head.fields[i].line);
    }
    if (!head.authority.empty() && !head.find(known_field::host)) out.add_own({"Host: ", head.authority, "\r\n"});
    add_lines(head, changes, out);
    out.add(head.bytes.substr(head.bytes.size() - 2));
}

void forward_head(const answer_head& head, const answer_changes& changes, outbox& out) {
    add_status_line(head, changes, out);
    auto length = changes.content_length; // stands where the backend's stood
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        const auto& field = head.fields[i];
        if (goes_on(head, i, changes)) {
            out.add(field.line);
        } else if (head.kinds[i] == known_field::content_length && length) {
            out.add_own({field.name, ": ", decimal(*length), "\r\n"});
            length.reset();
        } else if (head.kinds[i] == known_field::etag && !changes.etag.empty()) {
            out.add_own({field.name, ": ", changes.etag, "\r\n"});
        }
    }
    if (length) out.add_own({"Content-Length: ", decimal(*length), "\r\n"});
    if (changes.switching)
        out.add("Connection: Upgrade\r\n");
    else if (changes.client == persistence::close)
        out.add("Connection: close\r\n");
    else if (changes.client_minor_version == 0)
        out.add("Connection: keep-alive\r\n");
    out.add(head.bytes.substr(head.bytes.size() - 2));
}

std::string true_trailers(std::string_view lines) {
    std::string kept;
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size() - 1) + 1;
        const auto line = lines.substr(0, end);
        lines.remove_prefix(end);
        const auto name = line.substr(0, line.find(':'));
        if (!is_one_of(name, untrue_of_other_content) && !iequals(name, "etag")) kept += line;
    }
    return kept;
}

} // namespace sidecar
