#include "proxy/data_plane/message_head.hpp"

#include "proxy/data_plane/head_lines.hpp"
#include "proxy/http/host.hpp"
#include "sidecar/token.hpp"

#include <algorithm>
#include <array>
#include <limits>

namespace sidecar {

namespace {

head_status malformed(message_head& head, const char* complaint) noexcept {
    head.complaint = complaint;
    return head_status::malformed;
}

constexpr std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

// False: it is no list of tokens, and nobody can tell which fields it ends here.
bool read_connection(std::string_view value, message_head& head) {
    while (!value.empty()) {
        const auto comma = value.find(',');
        const auto option = trim(value.substr(0, comma));
        value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
        if (!std::all_of(option.begin(), option.end(), is_token_char)) return false;
        if (option.empty()) continue;
        if (iequals(option, "close"))
            head.connection_close = true;
        else if (iequals(option, "keep-alive"))
            head.connection_keep_alive = true;
        else if (iequals(option, "upgrade"))
            head.connection_upgrade = true;
        else if (!iequals(option, "content-length") && !iequals(option, "transfer-encoding") &&
                 !iequals(option, "host"))
            head.nominated.push_back(option);
    }
    return true;
}

bool read_length(std::string_view digits, std::uint64_t& length) noexcept {
    if (digits.empty()) return false;
    length = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') return false;
        if (length > (std::numeric_limits<std::int64_t>::max() - 9) / 10) return false;
        length = length * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return true;
}

// RFC 9112 6: one framing, said once.
head_status read_framing(message_head& head, bool& has_length, bool& has_coding) {
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        const auto& field = head.fields[i];
        switch (head.kinds[i]) {
        case known_field::content_length:
            if (has_length) return malformed(head, "more than one Content-Length");
            if (!read_length(field.value, head.body.length)) return malformed(head, "bad Content-Length");
            has_length = true;
            break;
        case known_field::transfer_encoding:
            if (has_coding) return malformed(head, "more than one Transfer-Encoding");
            if (!iequals(field.value, "chunked")) return malformed(head, "a transfer coding other than chunked");
            has_coding = true;
            break;
        case known_field::connection:
            if (!read_connection(field.value, head)) return malformed(head, "bad Connection");
            break;
        case known_field::other:
            // Servers behind CGI-like names take these for the real ones (CVE-2024-45614).
            if (iequals(field.name, "content_length") || iequals(field.name, "transfer_encoding"))
                return malformed(head, "a framing field spelled with an underscore");
            break;
        default:
            break;
        }
    }
    if (has_coding && has_length) return malformed(head, "both Transfer-Encoding and Content-Length");
    if (has_coding && head.minor_version == 0) return malformed(head, "Transfer-Encoding in HTTP/1.0");
    if (has_coding)
        head.body.how = body_framing::kind::chunked;
    else if (has_length)
        head.body.how = body_framing::kind::length;
    return head_status::complete;
}

// Finds the end of the head, or says why none must be waited for.
head_status find_end(std::string_view bytes, std::size_t& from, const head_limits& limits, std::size_t& size) noexcept {
    const auto end = bytes.find("\r\n\r\n", from > 3 ? from - 3 : 0);
    size = end == std::string_view::npos ? bytes.size() : end + 4;
    if (size > limits.header_bytes_max) return head_status::header_too_large;
    if (end != std::string_view::npos) return head_status::complete;
    from = bytes.size();
    return head_status::need_more;
}

// A head that came whole is read at once. One that comes in pieces is searched for its end first, each byte once; and
// only whole ones are judged, so that it does not matter how they came.
template <class Head>
head_status read_whole(std::string_view bytes, std::size_t& from, const head_limits& limits, Head& into) {
    into.clear();
    if (from == 0) {
        const auto read = read_lines(bytes, limits.header_fields_max, into);
        if (read == head_status::complete && into.bytes.size() <= limits.header_bytes_max) return read;
    }
    std::size_t size = 0;
    if (const auto found = find_end(bytes, from, limits, size); found != head_status::complete) return found;
    into.clear();
    return read_lines(bytes.substr(0, size), limits.header_fields_max, into);
}

// Of a request line that has not ended.
bool begins_with_long_target(std::string_view bytes, std::size_t target_bytes_max) noexcept {
    if (bytes.size() <= target_bytes_max || bytes.find('\n') != std::string_view::npos) return false;
    const auto is_visible = [](char c) { return static_cast<unsigned char>(c) > ' '; };
    const auto blank = std::find_if_not(bytes.begin(), bytes.end(), is_token_char);
    if (blank == bytes.end() || *blank != ' ') return false;
    const auto target_end = std::find_if_not(blank + 1, bytes.end(), is_visible);
    return static_cast<std::size_t>(target_end - (blank + 1)) > target_bytes_max;
}

head_status check_host(request_head& head) noexcept {
    const field_line* host = nullptr;
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        if (head.kinds[i] != known_field::host) continue;
        if (host) return malformed(head, "more than one Host");
        host = &head.fields[i];
    }
    if (!host) return head.minor_version == 0 ? head_status::complete : malformed(head, "no Host");
    return is_host(host->value) ? head_status::complete : malformed(head, "bad Host");
}

// What a byte is in a target: as any, odd, or refused. To be ORed together.
constexpr std::uint8_t odd = 1;
constexpr std::uint8_t refused = 2;

constexpr auto target_chars = [] {
    std::array<std::uint8_t, 256> kinds{};
    for (unsigned c = 0; c < kinds.size(); ++c)
        if (c <= ' ' || c >= 0x7f || c == '#') kinds[c] = refused;
    // RFC 3986 has no place for these; browsers and servers take them all the same.
    for (const unsigned char c : std::string_view("\"<>\\^`{|}")) kinds[c] = odd;
    return kinds;
}();

// RFC 9112 3.2: origin form, absolute form, or `*` for OPTIONS.
head_status check_target(request_head& head) noexcept {
    if (head.method == "CONNECT") return malformed(head, "CONNECT");
    unsigned seen = 0;
    for (const unsigned char c : head.target) seen |= target_chars[c];
    if (seen & refused) return malformed(head, "a target that is no URI");
    head.odd_target = (seen & odd) != 0;
    head.path = head.target;
    if (head.target.front() == '/') return head_status::complete;
    if (head.target == "*") return head.method == "OPTIONS" ? head_status::complete : malformed(head, "bad target");
    for (const std::string_view scheme : {"http://", "https://"}) {
        if (head.target.size() <= scheme.size() || !iequals(head.target.substr(0, scheme.size()), scheme)) continue;
        const auto rest = head.target.substr(scheme.size());
        const auto end = std::min(rest.find_first_of("/?"), rest.size());
        head.authority = rest.substr(0, end);
        head.path = rest.substr(end);
        if (head.authority.empty() || !is_host(head.authority)) return malformed(head, "bad authority in the target");
        return head_status::complete;
    }
    return malformed(head, "bad target");
}

bool has_token(std::string_view list, std::string_view token) noexcept {
    while (!list.empty()) {
        const auto comma = list.find(',');
        if (iequals(trim(list.substr(0, comma)), token)) return true;
        list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
    }
    return false;
}

} // namespace

head_status read_request_head(std::string_view bytes, std::size_t& from, const head_limits& limits,
                              request_head& into) {
    // RFC 9112 2.2: empty lines before the request line are skipped; they count as part of the head.
    std::size_t blank = 0;
    while (bytes.substr(blank).starts_with("\r\n")) blank += 2;
    if (blank >= limits.header_bytes_max) return head_status::header_too_large;
    auto of_the_rest = limits;
    of_the_rest.header_bytes_max -= blank;
    const auto line = bytes.substr(blank);
    const auto read = read_whole(line, from, of_the_rest, into);
    // A request line without end is a target too long before it is a header too large.
    const bool is_open = read == head_status::need_more || read == head_status::header_too_large;
    if (into.target.size() > limits.target_bytes_max ||
        (is_open && begins_with_long_target(line, limits.target_bytes_max)))
        return head_status::target_too_long;
    if (read != head_status::complete) return read;
    if (const auto target = check_target(into); target != head_status::complete) return target;
    if (const auto host = check_host(into); host != head_status::complete) return host;
    bool has_length = false;
    bool has_coding = false;
    if (const auto framing = read_framing(into, has_length, has_coding); framing != head_status::complete)
        return framing;
    if (const auto* expect = into.find(known_field::expect))
        into.expects_continue = iequals(expect->value, "100-continue");
    if (const auto* upgrade = into.find(known_field::upgrade))
        into.upgrades_to_websocket = into.connection_upgrade && into.minor_version == 1 && into.method == "GET" &&
                                     into.body.how == body_framing::kind::none &&
                                     has_token(upgrade->value, "websocket");
    return head_status::complete;
}

head_status read_answer_head(std::string_view bytes, std::size_t& from, const head_limits& limits, bool to_head,
                             answer_head& into) {
    if (const auto read = read_whole(bytes, from, limits, into); read != head_status::complete) return read;
    if (into.status < 100 || into.status > 599) return malformed(into, "a status code outside 100-599");
    bool has_length = false;
    bool has_coding = false;
    if (const auto framing = read_framing(into, has_length, has_coding); framing != head_status::complete)
        return framing;
    const bool never_a_body = into.status < 200 || into.status == 204;
    if (never_a_body && (has_coding || (has_length && into.body.length > 0)))
        return malformed(into, "a body where none may be");
    if (into.status < 200 && has_length) return malformed(into, "a Content-Length in an interim answer");
    if (never_a_body || into.status == 304 || to_head)
        into.body = {};
    else if (!has_length && !has_coding)
        into.body.how = body_framing::kind::until_close;
    return head_status::complete;
}

const field_line* message_head::find(known_field kind) const noexcept {
    for (std::size_t i = 0; i < kinds.size(); ++i)
        if (kinds[i] == kind) return &fields[i];
    return nullptr;
}

std::string_view message_head::value_of(known_field kind) const noexcept {
    const auto* field = find(kind);
    return field ? field->value : std::string_view{};
}

void message_head::clear() noexcept {
    bytes = start_line = {};
    minor_version = 1;
    fields.clear();
    kinds.clear();
    nominated.clear();
    body = {};
    connection_close = connection_keep_alive = connection_upgrade = false;
    complaint = "";
}

bool request_head::is_idempotent() const noexcept {
    static constexpr std::string_view idempotent[] = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
    return std::find(std::begin(idempotent), std::end(idempotent), method) != std::end(idempotent);
}

void request_head::clear() noexcept {
    message_head::clear();
    method = target = path = authority = {};
    expects_continue = upgrades_to_websocket = odd_target = false;
}

void answer_head::clear() noexcept {
    message_head::clear();
    status = 0;
    reason = {};
}

} // namespace sidecar
