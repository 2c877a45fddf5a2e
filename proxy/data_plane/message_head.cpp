#include "proxy/data_plane/message_head.hpp"

#include "proxy/http/host.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <limits>
#include <string>

namespace sidecar {

namespace http = boost::beast::http;

namespace {

known_field known(http::field name) noexcept {
    switch (name) {
    case http::field::host:
        return known_field::host;
    case http::field::connection:
        return known_field::connection;
    case http::field::keep_alive:
        return known_field::keep_alive;
    case http::field::proxy_connection:
        return known_field::proxy_connection;
    case http::field::te:
        return known_field::te;
    case http::field::transfer_encoding:
        return known_field::transfer_encoding;
    case http::field::content_length:
        return known_field::content_length;
    case http::field::upgrade:
        return known_field::upgrade;
    case http::field::expect:
        return known_field::expect;
    case http::field::trailer:
        return known_field::trailer;
    case http::field::accept_encoding:
        return known_field::accept_encoding;
    case http::field::content_type:
        return known_field::content_type;
    case http::field::content_encoding:
        return known_field::content_encoding;
    case http::field::etag:
        return known_field::etag;
    case http::field::last_modified:
        return known_field::last_modified;
    case http::field::origin:
        return known_field::origin;
    default:
        return known_field::other;
    }
}

// Beast's parser, told of each part of the head. It is given whole heads only, so views into them stay valid.
template <bool is_request>
class head_parser : public http::basic_parser<is_request> {
public:
    explicit head_parser(message_head& into) : into_(into) {
        this->header_limit(std::numeric_limits<std::uint32_t>::max()); // ours bite before
        this->body_limit(boost::none);
        this->eager(false);
    }

    std::string_view method, target, reason;
    int status = 0;

private:
    using error_code = boost::beast::error_code;
    using view = boost::beast::string_view;

    static std::string_view std_view(view text) noexcept { return {text.data(), text.size()}; }

    void on_request_impl(http::verb, view verb, view uri, int version, error_code&) override {
        method = std_view(verb);
        target = std_view(uri);
        into_.minor_version = version == 10 ? 0 : 1;
    }
    void on_response_impl(int code, view phrase, int version, error_code&) override {
        status = code;
        reason = std_view(phrase);
        into_.minor_version = version == 10 ? 0 : 1;
    }
    void on_field_impl(http::field name, view spelled, view value, error_code&) override {
        into_.fields.push_back({std_view(spelled), std_view(value), {}});
        into_.kinds.push_back(known(name));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}

    message_head& into_;
};

head_status malformed(message_head& head, const char* complaint) noexcept {
    head.complaint = complaint;
    return head_status::malformed;
}

// Each field must stand on one line of its own: its name at the line's beginning, one line end at its end. Folded
// lines, which Beast joins in memory of its own, do not.
bool find_lines(message_head& head) noexcept {
    const char* const end = head.bytes.data() + head.bytes.size() - 2; // where the empty line begins
    const char* expected = head.bytes.data() + head.start_line.size();
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        auto& field = head.fields[i];
        const char* const begin = field.name.data();
        const char* const next = i + 1 < head.fields.size() ? head.fields[i + 1].name.data() : end;
        if (begin != expected || next <= begin || next > end) return false;
        field.line = {begin, static_cast<std::size_t>(next - begin)};
        if (field.line.find('\n') != field.line.size() - 1) return false;
        // An empty value has no place of its own in the bytes.
        if (field.value.empty()) field.value = field.line.substr(field.name.size() + 1, 0);
        if (field.value.data() < begin || field.value.data() + field.value.size() > next) return false;
        expected = next;
    }
    return expected == end;
}

constexpr std::string_view trim(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
    return text;
}

void read_connection(std::string_view value, message_head& head) {
    while (!value.empty()) {
        const auto comma = value.find(',');
        const auto option = trim(value.substr(0, comma));
        value = comma == std::string_view::npos ? std::string_view{} : value.substr(comma + 1);
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
            read_connection(field.value, head);
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

// Some backends leave out the blank before an absent reason phrase; Beast does not take that.
bool lacks_blank(std::string_view start_line) noexcept {
    return start_line.size() == sizeof "HTTP/1.1 200\r\n" - 1 && start_line.starts_with("HTTP/1.");
}

template <bool is_request>
head_status parse(head_parser<is_request>& parser, std::string_view bytes, message_head& head,
                  const head_limits& limits) {
    head.bytes = bytes;
    head.start_line = bytes.substr(0, bytes.find('\n') + 1);
    boost::beast::error_code error;
    if (!is_request && lacks_blank(head.start_line)) {
        std::string with_blank(head.start_line);
        with_blank.insert(with_blank.size() - 2, 1, ' ');
        parser.put(boost::asio::const_buffer(with_blank.data(), with_blank.size()), error);
        if (error == http::error::need_more) error = {};
        bytes.remove_prefix(head.start_line.size());
    }
    if (!error) parser.put(boost::asio::const_buffer(bytes.data(), bytes.size()), error);
    if (head.fields.size() > limits.header_fields_max) return head_status::too_many_fields;
    if (error || !parser.is_header_done()) return malformed(head, "bad start line or field");
    if (!find_lines(head)) return malformed(head, "a folded line");
    return head_status::complete;
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

// RFC 3986 has no place for these; browsers and servers take them all the same.
constexpr bool is_no_uri_char(char c) noexcept {
    return c == '"' || c == '<' || c == '>' || c == '\\' || c == '^' || c == '`' || (c >= '{' && c <= '}');
}

// RFC 9112 3.2: origin form, absolute form, or `*` for OPTIONS.
head_status check_target(request_head& head) noexcept {
    if (head.method == "CONNECT") return malformed(head, "CONNECT");
    for (const char c : head.target) {
        if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '#')
            return malformed(head, "a target that is no URI");
        if (is_no_uri_char(c)) head.odd_target = true;
    }
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
    const auto line = bytes.substr(blank);
    std::size_t size = 0;
    const auto found = find_end(line, from, limits, size);
    if (found != head_status::complete) {
        // A request line without end is a target too long before it is a header too large.
        const bool line_ended = line.substr(0, limits.target_bytes_max + 32).find('\n') != std::string_view::npos;
        return !line_ended && line.size() > limits.target_bytes_max + 32 ? head_status::target_too_long : found;
    }

    into.clear();
    head_parser<true> parser(into);
    const auto parsed = parse(parser, line.substr(0, size), into, limits);
    // The blank lines are left out of what goes on, and consumed with it.
    into.method = parser.method;
    into.target = parser.target;
    if (into.target.size() > limits.target_bytes_max) return head_status::target_too_long;
    if (parsed != head_status::complete) return parsed;
    if (into.target.empty()) return malformed(into, "no target");
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
    std::size_t size = 0;
    if (const auto found = find_end(bytes, from, limits, size); found != head_status::complete) return found;
    into.clear();
    head_parser<false> parser(into);
    if (to_head) parser.skip(true);
    if (const auto parsed = parse(parser, bytes.substr(0, size), into, limits); parsed != head_status::complete)
        return parsed;
    into.status = parser.status;
    into.reason = parser.reason;
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
