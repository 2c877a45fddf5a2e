#include "proxy/data_plane/edit_head.hpp"

#include "sidecar/token.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace sidecar {

namespace {

template <std::size_t n>
bool is_one_of(std::string_view name, const std::array<std::string_view, n>& names) noexcept {
    return std::any_of(names.begin(), names.end(), [&](std::string_view each) { return iequals(each, name); });
}

constexpr std::array<std::string_view, 7> conditions_and_codings{
    "accept-encoding", "range", "if-range", "if-none-match", "if-modified-since", "if-match", "if-unmodified-since"};
constexpr std::array<std::string_view, 6> stale_with_other_content{"last-modified",  "content-md5", "digest",
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

// Copies what is kept of a head in runs as long as they come, with words of our own between them.
class editor {
public:
    editor(const message_head& head, buffer& out) noexcept : head_(&head), out_(&out) {}

    void keep(std::string_view bytes) { // of the head
        if (run_.data() + run_.size() != bytes.data()) {
            flush();
            run_ = bytes;
        } else {
            run_ = {run_.data(), run_.size() + bytes.size()};
        }
    }
    template <class... Words>
    void add(const Words&... words) {
        flush();
        (out_->append(words), ...);
    }
    template <class... Words>
    void add_field(std::string_view name, const Words&... value) {
        add(name, std::string_view(": "), std::string_view(value)..., std::string_view("\r\n"));
    }
    void end() {
        keep(head_->bytes.substr(head_->bytes.size() - 2));
        flush();
    }

private:
    void flush() {
        if (!run_.empty()) out_->append(run_);
        run_ = {};
    }

    const message_head* head_;
    buffer* out_;
    std::string_view run_;
};

// Meant for the next hop alone, both ways (RFC 9110 7.6.1); others depend on the message.
constexpr bool is_of_the_hop(known_field kind) noexcept {
    return kind == known_field::connection || kind == known_field::keep_alive || kind == known_field::proxy_connection;
}

bool is_nominated(const message_head& head, std::string_view name) noexcept {
    return std::any_of(head.nominated.begin(), head.nominated.end(),
                       [&](std::string_view each) { return iequals(each, name); });
}

constexpr std::string_view our_version = "HTTP/1.1";

bool is_with_underscores(std::string_view name, std::string_view lower) noexcept {
    return name.find('_') != name.npos && is_named_like(name, lower);
}

class request_editor {
public:
    request_editor(const request_head& head, const request_changes& changes, buffer& out) noexcept
        : head_(head),
          changes_(changes),
          out_(head, out) {
        if (!changes.additions) return;
        sets_forwarded_for_ = changes.additions->x_forwarded_for;
        sets_forwarded_proto_ = !changes.additions->x_forwarded_proto.empty();
        sets_request_id_ = changes.additions->x_request_id;
    }

    void write() {
        write_request_line();
        for (std::size_t i = 0; i < head_.fields.size(); ++i) write_field(head_.fields[i], head_.kinds[i]);
        write_host();
        write_connection();
        write_additions();
        out_.end();
    }

private:
    void write_request_line() {
        const bool origin_form = head_.path.data() == head_.target.data() && !head_.path.empty();
        const auto version = head_.start_line.substr(head_.start_line.size() - our_version.size() - 2);
        if (origin_form && version.starts_with(our_version)) return out_.keep(head_.start_line);
        std::string_view before_path;
        if (head_.path.empty())
            before_path = head_.method == "OPTIONS" ? "*" : "/"; // RFC 9112 3.2.4
        else if (head_.path.front() == '?')
            before_path = "/";
        out_.add(head_.method, " ", before_path, head_.path, " ", our_version, "\r\n");
    }

    void write_field(const field_line& field, known_field kind) {
        if (is_of_the_hop(kind)) return;
        switch (kind) {
        case known_field::te:
            return write_once(field, "trailers", te_is_written_);
        case known_field::upgrade:
            if (head_.upgrades_to_websocket) write_once(field, "websocket", upgrade_is_written_);
            return;
        case known_field::host:
            if (!head_.authority.empty()) return out_.add_field(field.name, head_.authority);
            return out_.keep(field.line);
        case known_field::content_length:
        case known_field::transfer_encoding:
            return out_.keep(field.line);
        case known_field::expect:
            // From an HTTP/1.0 client, to which no `100` may go (RFC 9110 10.1.1), it does not count.
            if (head_.minor_version == 0 && iequals(field.value, "100-continue")) return;
            break;
        default:
            break;
        }
        if (!is_nominated(head_, field.name) && !is_replaced(field.name)) out_.keep(field.line);
    }

    // Of a list, what may go on of it goes on, alone and once.
    void write_once(const field_line& field, std::string_view token, bool& is_written) {
        if (is_written || !has_element(field.value, token)) return;
        is_written = true;
        if (iequals(field.value, token)) return out_.keep(field.line);
        out_.add_field(field.name, token);
    }

    bool is_replaced(std::string_view name) const noexcept {
        if (changes_.whole_and_unencoded && is_one_of(name, conditions_and_codings)) return true;
        if (name.size() < 2 || ascii_lower(name[0]) != 'x') return false;
        if (sets_forwarded_for_ && is_named_like(name, forwarded_for)) return true;
        if (sets_forwarded_proto_ && is_named_like(name, forwarded_proto)) return true;
        return (sets_request_id_ && is_with_underscores(name, request_id)) ||
               (!changes_.request_start.empty() && is_with_underscores(name, request_start));
    }

    void write_host() {
        if (head_.find(known_field::host)) return;
        out_.add_field("Host", head_.authority.empty() ? changes_.backend_authority : head_.authority);
    }

    void write_connection() {
        if (upgrade_is_written_) return out_.add_field("Connection", te_is_written_ ? "Upgrade, TE" : "Upgrade");
        if (te_is_written_) out_.add_field("Connection", "TE"); // RFC 9110 10.1.4
    }

    void write_additions() {
        if (changes_.whole_and_unencoded) out_.add_field("Accept-Encoding", "identity");
        if (sets_forwarded_for_) write_forwarded_for();
        if (sets_forwarded_proto_) out_.add_field("X-Forwarded-Proto", changes_.additions->x_forwarded_proto);
        const auto view = head_.view();
        if (sets_request_id_ && !view.find(request_id)) out_.add_field("X-Request-Id", changes_.new_request_id);
        if (!changes_.request_start.empty() && !view.find(request_start))
            out_.add_field("X-Request-Start", changes_.request_start);
    }

    // The client's list and its own address behind it, in one line.
    void write_forwarded_for() {
        out_.add("X-Forwarded-For: ");
        for (const auto& field : head_.fields)
            if (iequals(field.name, forwarded_for) && !field.value.empty() && !is_nominated(head_, field.name))
                out_.add(field.value, ", ");
        out_.add(changes_.client_address, "\r\n");
    }

    static constexpr std::string_view forwarded_for = "x-forwarded-for";
    static constexpr std::string_view forwarded_proto = "x-forwarded-proto";
    static constexpr std::string_view request_id = "x-request-id";
    static constexpr std::string_view request_start = "x-request-start";

    const request_head& head_;
    const request_changes& changes_;
    editor out_;
    bool sets_forwarded_for_ = false;
    bool sets_forwarded_proto_ = false;
    bool sets_request_id_ = false;
    bool te_is_written_ = false;
    bool upgrade_is_written_ = false;
};

bool goes_on(const response_head& head, std::size_t i, const response_changes& changes) noexcept {
    const auto& field = head.fields[i];
    if (is_of_the_hop(head.kinds[i])) return false;
    const bool is_bodiless = head.status < 200; // whatever it says (RFC 9110 15.2)
    switch (head.kinds[i]) {
    case known_field::upgrade:
        return changes.switching;
    case known_field::content_length:
        return !changes.representation_changed && !is_bodiless;
    case known_field::transfer_encoding:
        if (is_bodiless) return false;
        [[fallthrough]];
    case known_field::trailer:
        return changes.keep_coding || !(changes.dechunked || changes.representation_changed);
    case known_field::etag:
        if (changes.representation_changed) return false;
        break;
    default:
        break;
    }
    if (is_nominated(head, field.name)) return false;
    if (changes.representation_changed && is_one_of(field.name, stale_with_other_content)) return false;
    return !(changes.not_modified && is_one_of(field.name, of_the_body));
}

void write_status_line(const response_head& head, const response_changes& changes, editor& out) {
    if (changes.not_modified) {
        out.add("HTTP/1.1 304 Not Modified\r\n");
    } else if (head.start_line.starts_with(our_version)) {
        out.keep(head.start_line);
    } else { // a proxy speaks for itself in the version (RFC 9110 2.5)
        out.add(our_version);
        out.keep(head.start_line.substr(our_version.size()));
    }
}

void keep_field(const field_line& field, editor& out) {
    if (field.line[field.name.size()] == ':') return out.keep(field.line);
    out.add(field.name); // RFC 9112 5.1: a proxy removes blanks before the colon
    out.keep(field.line.substr(field.line.find(':')));
}

} // namespace

void write_request_head(const request_head& head, const request_changes& changes, buffer& out) {
    request_editor(head, changes, out).write();
}

void write_response_head(const response_head& head, const response_changes& changes, buffer& out) {
    editor edited(head, out);
    write_status_line(head, changes, edited);
    auto length = changes.content_length; // stands where the backend's stood
    for (std::size_t i = 0; i < head.fields.size(); ++i) {
        const auto& field = head.fields[i];
        if (goes_on(head, i, changes)) {
            keep_field(field, edited);
        } else if (head.kinds[i] == known_field::content_length && length) {
            edited.add_field(field.name, decimal(*length));
            length.reset();
        } else if (head.kinds[i] == known_field::etag && !changes.etag.empty()) {
            edited.add_field(field.name, changes.etag);
        }
    }
    if (length) edited.add_field("Content-Length", decimal(*length));
    if (changes.switching)
        edited.add_field("Connection", "Upgrade");
    else if (changes.client == persistence::close)
        edited.add_field("Connection", "close");
    else if (changes.client_minor_version == 0)
        edited.add_field("Connection", "keep-alive");
    edited.end();
}

std::string drop_stale_trailers(std::string_view lines) {
    std::string kept;
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size() - 1) + 1;
        const auto line = lines.substr(0, end);
        lines.remove_prefix(end);
        const auto name = line.substr(0, line.find(':'));
        if (!is_one_of(name, stale_with_other_content) && !iequals(name, "etag")) kept += line;
    }
    return kept;
}

} // namespace sidecar
