#include "proxy/data_plane/head_lines.hpp"

#include "sidecar/token.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

namespace sidecar {

namespace {

// The first control byte, DEL among them; bytes above ASCII are none.
const char* find_control(const char* at, const char* end) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
        constexpr std::uint64_t each = 0x0101010101010101;
        for (; end - at >= 8; at += 8) {
            std::uint64_t eight = 0;
            std::memcpy(&eight, at, sizeof eight);
            const auto no_del = eight ^ each * 0x7f;
            // A byte's top bit is set where the byte is below 0x20, or is DEL. A borrow can set that of a later byte
            // too much, never that of the first.
            const auto found = (((eight - each * 0x20) & ~eight) | ((no_del - each) & ~no_del)) & each * 0x80;
            if (found) return at + std::countr_zero(found) / 8;
        }
    }
    for (; at != end; ++at)
        if (static_cast<unsigned char>(*at) < 0x20 || *at == 0x7f) return at;
    return end;
}

known_field known(std::string_view name) noexcept {
    const auto either = [name](std::string_view spelled, known_field kind) {
        return iequals(name, spelled) ? kind : known_field::other;
    };
    const auto one_of = [name](std::string_view a, known_field of_a, std::string_view b, known_field of_b) {
        return iequals(name, a) ? of_a : iequals(name, b) ? of_b : known_field::other;
    };
    switch (name.size()) {
    case 2:
        return either("te", known_field::te);
    case 4:
        return one_of("host", known_field::host, "etag", known_field::etag);
    case 6:
        return one_of("expect", known_field::expect, "origin", known_field::origin);
    case 7:
        return one_of("upgrade", known_field::upgrade, "trailer", known_field::trailer);
    case 10:
        return one_of("connection", known_field::connection, "keep-alive", known_field::keep_alive);
    case 12:
        return either("content-type", known_field::content_type);
    case 13:
        return either("last-modified", known_field::last_modified);
    case 14:
        return either("content-length", known_field::content_length);
    case 15:
        return either("accept-encoding", known_field::accept_encoding);
    case 16:
        return one_of("content-encoding", known_field::content_encoding, "proxy-connection",
                      known_field::proxy_connection);
    case 17:
        return either("transfer-encoding", known_field::transfer_encoding);
    default:
        return known_field::other;
    }
}

// Where the reading stands in a head. Each step says what it found; need_more: the bytes end before one can tell.
class reader {
public:
    explicit reader(std::string_view bytes) noexcept : begin_(bytes.data()), at_(begin_), end_(begin_ + bytes.size()) {}

    const char* at() const noexcept { return at_; }
    bool at_end() const noexcept { return at_ == end_; }
    char peek() const noexcept { return *at_; }
    std::string_view since(const char* from) const noexcept { return {from, static_cast<std::size_t>(at_ - from)}; }
    std::string_view all_read() const noexcept { return since(begin_); }

    std::string_view take_token() noexcept { return take_while(is_token_char); }
    std::string_view take_visible() noexcept {
        return take_while([](char c) { return static_cast<unsigned char>(c) > ' ' && c != 0x7f; });
    }
    void skip_blanks() noexcept { take_while(is_blank); }
    // Up to the line's end, or to what may not be in a line.
    std::string_view take_text() noexcept {
        const auto* at = find_control(at_, end_);
        while (at != end_ && *at == '\t') at = find_control(at + 1, end_);
        return since(std::exchange(at_, at));
    }
    head_status take(std::string_view expected) noexcept {
        for (const char each : expected) {
            if (at_ == end_) return head_status::need_more;
            if (*at_ != each) return head_status::malformed;
            ++at_;
        }
        return head_status::complete;
    }
    head_status take_digit(int& number) noexcept {
        if (at_ == end_) return head_status::need_more;
        if (*at_ < '0' || *at_ > '9') return head_status::malformed;
        number = number * 10 + (*at_++ - '0');
        return head_status::complete;
    }

private:
    template <class Wanted>
    std::string_view take_while(const Wanted& is_wanted) noexcept {
        const auto* at = at_;
        while (at != end_ && is_wanted(*at)) ++at;
        return since(std::exchange(at_, at));
    }

    const char* begin_;
    const char* at_;
    const char* end_;
};

head_status fault(head_status what, message_head& head, const char* complaint) noexcept {
    if (what == head_status::malformed) head.complaint = complaint;
    return what;
}

enum class blanks : std::uint8_t { refused, skipped };

// RFC 9112 5.1: of a response, a proxy removes blanks before the colon; in a request they are refused.
head_status read_field(reader& in, blanks before_colon, message_head& into) {
    const auto* const line = in.at();
    const auto name = in.take_token();
    if (in.at_end()) return head_status::need_more;
    if (name.empty())
        return fault(head_status::malformed, into, is_blank(in.peek()) ? "a folded line" : "a bad field name");
    if (before_colon == blanks::skipped) in.skip_blanks();
    if (const auto colon = in.take(":"); colon != head_status::complete) return fault(colon, into, "a bad field name");
    in.skip_blanks();
    auto value = in.take_text();
    if (const auto ended = in.take("\r\n"); ended != head_status::complete)
        return fault(ended, into, "a control byte in a field");
    while (!value.empty() && is_blank(value.back())) value.remove_suffix(1);
    into.fields.push_back({name, value, in.since(line)});
    into.kinds.push_back(known(name));
    return head_status::complete;
}

head_status read_fields(reader& in, std::size_t fields_max, blanks before_colon, message_head& into) {
    into.start_line = in.all_read();
    for (;;) {
        if (in.at_end()) return head_status::need_more;
        if (in.peek() == '\r') break;
        if (into.fields.size() == fields_max) return head_status::too_many_fields;
        if (const auto field = read_field(in, before_colon, into); field != head_status::complete) return field;
    }
    if (const auto ended = in.take("\r\n"); ended != head_status::complete) return fault(ended, into, "a bare CR");
    into.bytes = in.all_read();
    return head_status::complete;
}

head_status read_version(reader& in, message_head& into) noexcept {
    int minor = 0;
    auto read = in.take("HTTP/1.");
    if (read == head_status::complete) read = in.take_digit(minor);
    into.minor_version = minor == 0 ? 0 : 1;
    return fault(read, into, "a version other than HTTP/1.x");
}

head_status read_start_line(reader& in, const head_limits& limits, request_head& into) noexcept {
    constexpr auto* complaint = "a bad request line";
    for (auto* const word : {&into.method, &into.target}) {
        *word = word == &into.method ? in.take_token() : in.take_visible();
        if (into.target.size() > limits.target_bytes_max) return head_status::target_too_long;
        if (in.at_end()) return head_status::need_more;
        if (word->empty() || in.take(" ") != head_status::complete)
            return fault(head_status::malformed, into, complaint);
    }
    if (const auto version = read_version(in, into); version != head_status::complete) return version;
    return fault(in.take("\r\n"), into, complaint);
}

head_status read_start_line(reader& in, const head_limits&, response_head& into) noexcept {
    constexpr auto* complaint = "a bad status line";
    if (const auto version = read_version(in, into); version != head_status::complete) return version;
    auto read = in.take(" ");
    for (int i = 0; i < 3 && read == head_status::complete; ++i) read = in.take_digit(into.status);
    if (read != head_status::complete) return fault(read, into, complaint);
    // Some backends leave the blank out together with the phrase.
    if (in.take(" ") == head_status::complete) into.reason = in.take_text();
    return fault(in.take("\r\n"), into, complaint);
}

template <class Head>
head_status read(std::string_view bytes, const head_limits& limits, blanks before_colon, Head& into) {
    reader in(bytes);
    if (const auto line = read_start_line(in, limits, into); line != head_status::complete) return line;
    return read_fields(in, limits.header_fields_max, before_colon, into);
}

} // namespace

head_status read_lines(std::string_view bytes, const head_limits& limits, request_head& into) {
    return read(bytes, limits, blanks::refused, into);
}

head_status read_lines(std::string_view bytes, const head_limits& limits, response_head& into) {
    return read(bytes, limits, blanks::skipped, into);
}

std::size_t find_verdict(std::string_view bytes, std::size_t from) noexcept {
    const auto* const begin = bytes.data();
    const auto* const end = begin + bytes.size();
    bool in_start_line = bytes.substr(0, from).find('\n') == bytes.npos;
    for (const auto* at = find_control(begin + from, end); at != end; at = find_control(at + 1, end)) {
        const auto up_to_here = static_cast<std::size_t>(at - begin) + 1;
        if (*at == '\t') continue;
        if (*at == '\r') {
            if (at + 1 == end) break;
            if (at[1] != '\n') return up_to_here + 1;
            continue;
        }
        const bool ends_line = *at == '\n' && at != begin && at[-1] == '\r';
        const bool ends_head = ends_line && up_to_here > 2 && at[-2] == '\n';
        if (!ends_line || ends_head || std::exchange(in_start_line, false)) return up_to_here;
    }
    return bytes.npos;
}

} // namespace sidecar
