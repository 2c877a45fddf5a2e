#include "proxy/data_plane/message_head.hpp"

#include "proxy/data_plane/head_lines.hpp"
#include "proxy/http/host.hpp"
#include "sidecar/token.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>

namespace sidecar {

namespace {

head_status malformed(message_head& head, const char* complaint) noexcept {
    head.complaint = complaint;
    return head_status::malformed;
}

// Without a bound, fields times options would be compared for each message.
constexpr int connection_options_max = 64;

// Null, or what is wrong: it is no list of tokens, say, and nobody can tell which fields it ends here.
const char* read_connection(std::string_view value, int& options, message_head& head) {
    while (!value.empty()) {
        const auto option = take_element(value);
        if (option.empty()) continue;
        if (!is_token(option)) return "bad Connection";
        if (++options > connection_options_max) return "too many options in Connection";
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
    return nullptr;
}

head_status read_connections(message_head& head) {
    int options = 0;
    for (std::size_t i = 0; i < head.fields.size(); ++i)
        if (head.kinds[i] == known_field::connection)
            if (const auto* wrong = read_connection(head.fields[i].value, options, head)) return malformed(head, wrong);
    return head_status::complete;
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

// RFC 9112 7. Well-formed lists that end the body as chunked does, but have another coding, are told apart from those
// whose end readers would see in different places.
head_status read_coding(std::string_view list, message_head& head) noexcept {
    if (iequals(list, "chunked")) return head_status::complete;
    constexpr auto* complaint = "a Transfer-Encoding other than chunked";
    bool is_unknown = false;
    if (list.empty() || list.ends_with(',')) return malformed(head, complaint);
    while (!list.empty()) {
        const auto coding = take_element(list);
        const auto name = trim_blanks(coding.substr(0, coding.find(';')));
        if (!is_token(name)) return malformed(head, complaint);
        if (!iequals(name, "chunked"))
            is_unknown = true;
        else if (!list.empty() || coding.size() > name.size())
            return malformed(head, complaint);
    }
    head.complaint = complaint;
    return is_unknown ? head_status::not_implemented : head_status::malformed;
}

struct framing {
    bool has_length = false;
    bool has_coding = false;
};

// RFC 9112 6: one framing, said once, in one spelling.
head_status read_framing(message_head& head, framing& said) noexcept {
    auto coding = head_status::complete;
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        const auto& field = head.fields[i];
        switch (head.kinds[i]) {
        case known_field::content_length:
            if (std::exchange(said.has_length, true)) return malformed(head, "more than one Content-Length");
            if (!read_length(field.value, head.body.length)) return malformed(head, "bad Content-Length");
            break;
        case known_field::transfer_encoding:
            if (std::exchange(said.has_coding, true)) return malformed(head, "more than one Transfer-Encoding");
            coding = read_coding(field.value, head);
            if (coding == head_status::malformed) return coding;
            break;
        case known_field::other:
            // Servers behind CGI-like names take these for the real ones (CVE-2024-45614).
            if (iequals(field.name, "content_length") || iequals(field.name, "transfer_encoding"))
                return malformed(head, "a framing field spelled with an underscore");
            continue;
        default:
            continue;
        }
        // Older Puma takes it for a part of the value, and sees no framing.
        if (field.line.find('\t') != std::string_view::npos) return malformed(head, "a tab in a framing field");
    }
    if (said.has_coding && said.has_length) return malformed(head, "both Transfer-Encoding and Content-Length");
    if (said.has_coding && head.minor_version == 0) return malformed(head, "Transfer-Encoding in HTTP/1.0");
    if (said.has_coding)
        head.body.how = body_framing::kind::chunked;
    else if (said.has_length)
        head.body.how = body_framing::kind::length;
    return coding;
}

bool may_begin_with(char c, const request_head&) noexcept { return is_token_char(c) || c == '\r'; }
bool may_begin_with(char c, const response_head&) noexcept { return c == 'H'; }

// How many of the bytes, from the first on, there are to be judged; 0: more must come.
std::size_t find_judgeable(std::string_view bytes, std::size_t from, bool begins_well, std::size_t target_bytes_max) {
    if (bytes.empty()) return 0;
    if (!begins_well) return bytes.size();
    if (const auto verdict = find_verdict(bytes, from); verdict != bytes.npos) return verdict;
    // A target that is too long already need not end.
    if (bytes.size() <= target_bytes_max || bytes.find('\n') != bytes.npos) return 0;
    const auto blank = bytes.find(' ');
    return blank != bytes.npos && bytes.size() - blank > target_bytes_max + 1 ? bytes.size() : 0;
}

// A head that came whole is read at once. One that comes in pieces is looked through first, each byte once, for
// something to judge it by; then it is read from its beginning, so that it does not matter how it came.
template <class Head>
head_status read_whole(std::string_view bytes, std::size_t& searched, const head_limits& limits, Head& into) {
    const auto within = bytes.substr(0, limits.header_bytes_max);
    into.clear();
    if (searched == 0 && read_lines(within, limits, into) == head_status::complete) return head_status::complete;
    const bool begins_well = !within.empty() && may_begin_with(within.front(), into);
    for (;;) {
        into.clear();
        const auto size = find_judgeable(within, searched, begins_well, limits.target_bytes_max);
        if (size == 0) break;
        if (const auto read = read_lines(within.substr(0, size), limits, into); read != head_status::need_more)
            return read;
        if (size == within.size()) break;
        searched = size;
    }
    if (within.size() == limits.header_bytes_max) {
        into.clear();
        const auto read = read_lines(within, limits, into);
        return read == head_status::need_more ? head_status::header_too_large : read;
    }
    into.clear();
    // A CR at the end is looked at together with what follows it.
    searched = within.size() - (within.ends_with('\r') ? 1 : 0);
    return head_status::need_more;
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

// What a byte is in a target: as any, odd, or refused. To be ORed together. Those from 0x80 up are no URI's either,
// but go on as sent: clients send them, servers take them, and no two read them differently.
constexpr std::uint8_t odd = 1;
constexpr std::uint8_t refused = 2;

constexpr auto target_chars = [] {
    std::array<std::uint8_t, 256> kinds{};
    for (unsigned c = 0; c < kinds.size(); ++c)
        if (c >= 0x80) kinds[c] = odd;
    // RFC 3986 has no place for these; browsers and servers take them all the same.
    for (const unsigned char c : std::string_view("\"<>\\^`{|}")) kinds[c] = odd;
    for (unsigned c = 0; c <= ' '; ++c) kinds[c] = refused;
    kinds[0x7f] = kinds['#'] = refused;
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

// Among other protocols or alone; what goes on is websocket alone.
bool asks_for_websocket(const request_head& head) noexcept {
    if (!head.connection_upgrade || head.minor_version == 0 || head.method != "GET" || head.has_body()) return false;
    for (std::size_t i = 0; i < head.fields.size(); ++i)
        if (head.kinds[i] == known_field::upgrade && has_element(head.fields[i].value, "websocket")) return true;
    return false;
}

bool switches_to_websocket(const response_head& head) noexcept {
    return head.status == 101 && std::count(head.kinds.begin(), head.kinds.end(), known_field::upgrade) == 1 &&
           iequals(head.value_of(known_field::upgrade), "websocket");
}

head_status judge(request_head& head) {
    if (const auto target = check_target(head); target != head_status::complete) return target;
    if (const auto host = check_host(head); host != head_status::complete) return host;
    if (const auto options = read_connections(head); options != head_status::complete) return options;
    framing said;
    if (const auto read = read_framing(head, said); read != head_status::complete) return read;
    if (head.body.how == body_framing::kind::length && head.body.length == 0) head.body = {};
    // RFC 9110 10.1.1: of an HTTP/1.0 client it is ignored.
    for (std::size_t i = 0; i < head.fields.size() && head.minor_version == 1; ++i)
        if (head.kinds[i] == known_field::expect && has_element(head.fields[i].value, "100-continue"))
            head.expects_continue = true;
    head.upgrades_to_websocket = asks_for_websocket(head);
    return head_status::complete;
}

head_status judge(response_head& head, bool to_head) {
    if (head.status < 100 || head.status > 599) return malformed(head, "a status code outside 100-599");
    if (const auto options = read_connections(head); options != head_status::complete) return options;
    if (head.status < 200) { // ends with its head, whatever the head says of a body
        head.switches_to_websocket = switches_to_websocket(head);
        return head_status::complete;
    }
    framing said;
    if (read_framing(head, said) != head_status::complete) return head_status::malformed;
    if (head.status == 204 && (said.has_coding || head.body.length > 0))
        return malformed(head, "a body where none may be");
    if (head.status == 204 || head.status == 304 || to_head)
        head.body = {};
    else if (!said.has_length && !said.has_coding)
        head.body.how = body_framing::kind::until_close;
    return head_status::complete;
}

// They are counted anew whenever one more has come.
constexpr std::size_t blank_bytes_max = 1024;

// Of the memory that an unusual head took, nothing is kept.
template <class List>
void empty(List& list) noexcept {
    std::destroy_at(&list);
    std::construct_at(&list);
}

} // namespace

head_status read_request_head(std::string_view bytes, std::size_t& searched, const head_limits& limits,
                              request_head& into) {
    // RFC 9112 2.2: empty lines before the request line are skipped; they count as part of the head.
    std::size_t blank = 0;
    while (blank <= blank_bytes_max && bytes.substr(blank).starts_with("\r\n")) blank += 2;
    auto status = head_status::header_too_large;
    if (blank < std::min(limits.header_bytes_max, blank_bytes_max)) {
        auto of_the_rest = limits;
        of_the_rest.header_bytes_max -= blank;
        status = read_whole(bytes.substr(blank), searched, of_the_rest, into);
    } else {
        into.clear();
    }
    if (status == head_status::complete) status = judge(into);
    if (status != head_status::need_more)
        into.consumed = status == head_status::complete ? blank + into.bytes.size() : bytes.size();
    return status;
}

head_status read_response_head(std::string_view bytes, std::size_t& searched, const head_limits& limits, bool to_head,
                               response_head& into) {
    auto status = read_whole(bytes, searched, limits, into);
    if (status == head_status::complete) status = judge(into, to_head);
    if (status != head_status::need_more)
        into.consumed = status == head_status::complete ? into.bytes.size() : bytes.size();
    return status;
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
    consumed = 0;
    bytes = start_line = {};
    minor_version = 1;
    empty(fields);
    empty(kinds);
    empty(nominated);
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

void response_head::clear() noexcept {
    message_head::clear();
    status = 0;
    reason = {};
    switches_to_websocket = false;
}

} // namespace sidecar
