#include "proxy/forwarding.hpp"

#include <algorithm>
#include <array>

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

bool is_nominated(const message_head& head, std::string_view name) noexcept {
    return std::any_of(head.nominated.begin(), head.nominated.end(),
                       [&](std::string_view each) { return iequals(each, name); });
}

bool goes_on(const request_head& head, std::size_t i, const request_changes& changes) noexcept {
    const auto& field = head.fields[i];
    switch (head.kinds[i]) {
    case known_field::connection:
    case known_field::keep_alive:
    case known_field::proxy_connection:
        return false;
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
    std::string line(head.method);
    line += ' ';
    if (head.path.empty())
        line += head.method == "OPTIONS" ? "*" : "/"; // RFC 9112 3.2.4
    else if (head.path.front() == '?')
        line += '/';
    line += head.path;
    line += " HTTP/1.1\r\n";
    out.add_own(std::move(line));
}

// What config asks to add, and what the backend's version of HTTP wants.
std::string added_lines(const request_head& head, const request_changes& changes) {
    std::string added;
    if (!head.find(known_field::host) && head.authority.empty()) added += "Host: \r\n"; // from HTTP/1.0
    if (head.upgrades_to_websocket) added += "Connection: Upgrade\r\n";
    if (changes.whole_and_unencoded) added += "Accept-Encoding: identity\r\n";
    if (!changes.additions) return added;
    const auto line = [&](std::string_view name, std::string_view value) {
        added.append(name).append(": ").append(value).append("\r\n");
    };
    if (changes.additions->x_forwarded_for) line("X-Forwarded-For", changes.client_address);
    if (!changes.additions->x_forwarded_proto.empty()) line("X-Forwarded-Proto", changes.additions->x_forwarded_proto);
    if (changes.additions->x_request_id && !head.view().find("x-request-id"))
        line("X-Request-Id", changes.new_request_id);
    return added;
}

bool goes_on(const answer_head& head, std::size_t i, const answer_changes& changes) noexcept {
    const auto& field = head.fields[i];
    switch (head.kinds[i]) {
    case known_field::keep_alive:
    case known_field::proxy_connection:
        return false;
    case known_field::connection:
        return false;
    case known_field::upgrade:
        return changes.switching;
    case known_field::content_length:
        return !changes.other_content;
    case known_field::transfer_encoding:
        return changes.keep_coding || !(changes.unchunked || changes.other_content);
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
            out.add_own(std::string(head.fields[i].name).append(": ").append(head.authority).append("\r\n"));
        else
            out.add(head.fields[i].line);
    }
    if (!head.authority.empty() && !head.find(known_field::host))
        out.add_own(std::string("Host: ").append(head.authority).append("\r\n"));
    if (auto added = added_lines(head, changes); !added.empty()) out.add_own(std::move(added));
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
            out.add_own(std::string(field.name).append(": ").append(std::to_string(*length)).append("\r\n"));
            length.reset();
        } else if (head.kinds[i] == known_field::etag && !changes.etag.empty()) {
            out.add_own(std::string(field.name).append(": ").append(changes.etag).append("\r\n"));
        }
    }
    std::string added;
    if (length) added.append("Content-Length: ").append(std::to_string(*length)).append("\r\n");
    if (changes.switching)
        added += "Connection: Upgrade\r\n";
    else if (changes.client == persistence::close)
        added += "Connection: close\r\n";
    else if (changes.client_minor_version == 0)
        added += "Connection: keep-alive\r\n";
    if (!added.empty()) out.add_own(std::move(added));
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
