#include "proxy/data_plane/body_framing.hpp"

#include "sidecar/message.hpp"
#include "sidecar/token.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace sidecar {

namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
    return -1;
}

constexpr bool is_text_char(char c) noexcept { // HTAB, SP, VCHAR, obs-text
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

bool begins_with(std::string_view name, std::string_view lower) noexcept {
    return is_named_like(name.substr(0, lower.size()), lower);
}

// RFC 9110 6.5.1: framing, routing, authentication and request modifiers have no place behind the body, where a server
// may take them for the head's. Digests of the content do (RFC 9530).
bool belongs_in_trailers(std::string_view name) noexcept {
    static constexpr std::string_view foreign[] = {"transfer-encoding",
                                                   "host",
                                                   "connection",
                                                   "keep-alive",
                                                   "proxy-connection",
                                                   "te",
                                                   "trailer",
                                                   "upgrade",
                                                   "expect",
                                                   "max-forwards",
                                                   "range",
                                                   "authorization",
                                                   "proxy-authorization",
                                                   "www-authenticate",
                                                   "proxy-authenticate",
                                                   "cookie",
                                                   "set-cookie",
                                                   "set-cookie2",
                                                   "forwarded",
                                                   "x-request-id",
                                                   "x-request-start"};
    if (begins_with(name, "content-"))
        return is_named_like(name, "content-digest") || is_named_like(name, "content-md5");
    if (begins_with(name, "if-") || begins_with(name, "x-forwarded-")) return false;
    return std::none_of(std::begin(foreign), std::end(foreign),
                        [name](auto each) { return is_named_like(name, each); });
}

// The name of a whole line of a trailer section; empty if it is none.
std::string_view name_in(std::string_view line) noexcept {
    if (!line.ends_with("\r\n")) return {};
    const auto name = line.substr(0, line.find(':'));
    if (name.size() == line.size() || !is_token(name)) return {}; // folded too
    const auto value = line.substr(name.size() + 1, line.size() - name.size() - 3);
    return std::all_of(value.begin(), value.end(), is_text_char) ? name : std::string_view{};
}

constexpr std::uint64_t length_max = std::numeric_limits<std::int64_t>::max();
constexpr int size_digits_max = 16;

} // namespace

// Runs of bytes that go on, put together in place.
class body_reader::kept_bytes {
public:
    void add(std::span<char> more) noexcept {
        auto* const run = more.data();
        const auto n = more.size();
        if (begin_ == end_) {
            begin_ = end_ = run;
        } else if (end_ != run) {
            // The shorter one moves, so that a large chunk stays where it is.
            const auto held = static_cast<std::size_t>(end_ - begin_);
            if (held < n) {
                begin_ = static_cast<char*>(std::memmove(run - held, begin_, held));
                end_ = run;
            } else {
                std::memmove(end_, run, n);
            }
        }
        end_ += n;
    }
    std::string_view all() const noexcept { return {begin_, static_cast<std::size_t>(end_ - begin_)}; }

private:
    char* begin_ = nullptr;
    char* end_ = nullptr;
};

body_reader::body_reader(body_framing framing, limits bounds, dechunk how) noexcept : dechunk_(how), limits_(bounds) {
    switch (framing.how) {
    case body_framing::kind::none:
        break;
    case body_framing::kind::length:
        left_ = framing.length;
        state_ = left_ ? state::length : state::done;
        break;
    case body_framing::kind::chunked:
        state_ = state::chunk_size_first;
        break;
    case body_framing::kind::until_close:
        state_ = state::until_close;
        break;
    }
}

body_reader::piece body_reader::take(std::span<char> in, payload_sink* sink) {
    if (state_ == state::done || fault_ != fault::none || in.empty()) return {0, {}};
    if (state_ != state::length && state_ != state::until_close) return take_chunked(in, sink);

    auto n = in.size();
    if (state_ == state::length) {
        n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, n));
        left_ -= n;
        if (left_ == 0) state_ = state::done;
    }
    payload_bytes_ += n;
    if (sink) sink->payload({in.data(), n});
    return {n, {in.data(), n}};
}

body_reader::piece body_reader::take_chunked(std::span<char> in, payload_sink* sink) {
    kept_bytes kept;
    std::size_t at = 0;
    if (held_.ends_with('\n')) held_.clear(); // it went on with the last call
    while (at < in.size() && state_ != state::done && fault_ == fault::none) {
        const auto rest = in.subspan(at);
        if (state_ == state::chunk_data) {
            const auto run = rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(left_, rest.size())));
            left_ -= run.size();
            if (left_ == 0) state_ = state::chunk_data_cr;
            payload_bytes_ += run.size();
            if (sink) sink->payload({run.data(), run.size()});
            kept.add(run);
            at += run.size();
        } else if (state_ != state::trailer_line) {
            const auto run = rest.first(take_chunk_framing({rest.data(), rest.size()}));
            if (dechunk_ == dechunk::no) kept.add(run);
            at += run.size();
        } else {
            const bool is_held = !held_.empty();
            const auto line = take_trailer_line(rest, sink);
            at += line.used;
            if (is_held && line.goes_on) return {at, held_};
            if (line.goes_on) kept.add(rest.first(line.used));
        }
    }
    return {at, kept.all()};
}

// A line comes out as a whole or not at all.
body_reader::trailer_line body_reader::take_trailer_line(std::span<const char> rest, payload_sink* sink) {
    const std::string_view bytes(rest.data(), rest.size());
    const auto end = bytes.find('\n');
    const bool has_ended = end != bytes.npos;
    const auto here = bytes.substr(0, has_ended ? end + 1 : bytes.size());
    trailer_bytes_ += here.size();
    if (trailer_bytes_ > limits_.trailer_bytes_max) return fail(fault::trailer_too_long), trailer_line{};
    if (!has_ended || !held_.empty()) held_ += here;
    if (!has_ended) return {here.size(), false};

    const auto line = held_.empty() ? here : std::string_view(held_);
    bool goes_on = true;
    if (line == "\r\n") {
        state_ = state::done;
    } else {
        const auto name = name_in(line);
        if (name.empty()) return fail(fault::malformed), trailer_line{};
        had_trailers_ = true;
        goes_on = belongs_in_trailers(name);
        if (goes_on && sink) sink->trailer(line);
    }
    goes_on = goes_on && dechunk_ == dechunk::no;
    if (!goes_on) held_.clear();
    return {here.size(), goes_on};
}

std::size_t body_reader::take_chunk_framing(std::string_view rest) noexcept {
    std::size_t n = 0;
    while (n < rest.size() && state_ < state::chunk_data && step(rest[n])) ++n;
    return n;
}

// RFC 9112 7.1: one spelling of each size, and extensions by their grammar. Blanks may stand where it has BWS, except
// right behind the size: readers differ on what ends a number.
bool body_reader::step(char c) noexcept {
    if (state_ <= state::chunk_line_lf && ++line_bytes_ > limits_.chunk_line_bytes_max)
        return fail(fault::chunk_line_too_long);
    switch (state_) {
    case state::chunk_size_first:
    case state::chunk_size:
        if (const int digit = hex_digit(c); digit >= 0) {
            if (++digits_ > size_digits_max || left_ > (length_max >> 4)) return fail(fault::malformed);
            left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
            return go(state::chunk_size);
        }
        if (state_ == state::chunk_size_first) return fail(fault::malformed);
        return c == ';' ? go(state::extension_start) : end_chunk_line(c);
    case state::extension_start:
        return is_blank(c) || (is_token_char(c) ? go(state::extension_name) : fail(fault::malformed));
    case state::extension_name:
        if (is_token_char(c)) return true;
        [[fallthrough]];
    case state::extension_name_blank:
        if (c == '=') return go(state::extension_value_start);
        if (c == ';') return go(state::extension_start);
        if (is_blank(c)) return go(state::extension_name_blank);
        return state_ == state::extension_name ? end_chunk_line(c) : fail(fault::malformed);
    case state::extension_value_start:
        if (is_blank(c)) return true;
        if (c == '"') return go(state::extension_quoted);
        return is_token_char(c) ? go(state::extension_token) : fail(fault::malformed);
    case state::extension_token:
        if (is_token_char(c)) return true;
        [[fallthrough]];
    case state::extension_quoted_end:
    case state::extension_value_blank:
        if (c == ';') return go(state::extension_start);
        if (is_blank(c)) return go(state::extension_value_blank);
        return state_ != state::extension_value_blank ? end_chunk_line(c) : fail(fault::malformed);
    case state::extension_quoted:
        if (c == '"') return go(state::extension_quoted_end);
        if (c == '\\') return go(state::extension_quoted_pair);
        return is_text_char(c) || fail(fault::malformed);
    case state::extension_quoted_pair:
        return is_text_char(c) ? go(state::extension_quoted) : fail(fault::malformed);
    case state::chunk_line_lf:
        if (c != '\n') return fail(fault::malformed);
        line_bytes_ = 0;
        digits_ = 0;
        return go(left_ ? state::chunk_data : state::trailer_line);
    case state::chunk_data_cr:
        return c == '\r' ? go(state::chunk_data_lf) : fail(fault::malformed);
    case state::chunk_data_lf:
        return c == '\n' ? go(state::chunk_size_first) : fail(fault::malformed);
    case state::chunk_data:
    case state::trailer_line:
    case state::length:
    case state::until_close:
    case state::done:
        break;
    }
    return false;
}

bool body_reader::go(state next) noexcept {
    state_ = next;
    return true;
}

bool body_reader::end_chunk_line(char c) noexcept {
    return c == '\r' ? go(state::chunk_line_lf) : fail(fault::malformed);
}

bool body_reader::fail(fault why) noexcept {
    fault_ = why;
    return false;
}

bool body_reader::end_of_stream() noexcept {
    if (state_ == state::until_close) state_ = state::done;
    return state_ == state::done;
}

} // namespace sidecar
