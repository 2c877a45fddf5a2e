#include "proxy/data_plane/body_framing.hpp"

#include "sidecar/message.hpp"
#include "sidecar/token.hpp"

#include <algorithm>
#include <limits>

namespace sidecar {

namespace {

int hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    const char lower = ascii_lower(c);
    if (lower >= 'a' && lower <= 'f') return lower - 'a' + 10;
    return -1;
}

bool is_text_char(char c) noexcept { // HTAB, SP, VCHAR, obs-text
    const auto byte = static_cast<unsigned char>(c);
    return c == '\t' || (byte >= 0x20 && byte != 0x7f);
}

// Framing, routing and authentication have no place behind the body (RFC 9110 6.5.1).
bool is_forbidden_in_trailers(std::string_view name) noexcept {
    static constexpr std::string_view forbidden[] = {
        "content-length", "content_length", "transfer-encoding", "transfer_encoding",
        "host",           "connection",     "trailer",           "te",
        "upgrade",        "keep-alive",     "content-encoding",  "content-type",
        "authorization",  "set-cookie"};
    return std::find(std::begin(forbidden), std::end(forbidden), name) != std::end(forbidden);
}

constexpr std::uint64_t length_max = std::numeric_limits<std::int64_t>::max();

} // namespace

body_reader::body_reader(body_framing framing, limits bounds) noexcept : limits_(bounds) {
    switch (framing.how) {
    case body_framing::kind::none:
        state_ = state::done;
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

std::size_t body_reader::follow(std::string_view bytes, payload_sink* sink) {
    std::size_t at = 0;
    while (at < bytes.size() && state_ != state::done && fault_ == fault::none) {
        if (const auto ahead = payload_ahead()) {
            const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(ahead, bytes.size() - at));
            if (sink) sink->payload(bytes.substr(at, n));
            at += n;
            skip(n);
            continue;
        }
        const bool in_trailer = state_ >= state::trailer_name && state_ <= state::trailer_lf;
        if (!step(bytes[at])) break;
        // The first byte of a trailer line is known as such only once it was read.
        if (sink && (in_trailer || state_ == state::trailer_name)) sink->trailer(bytes.substr(at, 1));
        ++at;
    }
    return at;
}

std::uint64_t body_reader::payload_ahead() const noexcept {
    if (fault_ != fault::none) return 0;
    if (state_ == state::until_close) return std::numeric_limits<std::uint64_t>::max();
    return state_ == state::length || state_ == state::chunk_data ? left_ : 0;
}

void body_reader::skip(std::uint64_t payload) noexcept {
    payload_bytes_ += payload;
    if (state_ == state::until_close) return;
    left_ -= payload;
    if (left_ == 0) state_ = state_ == state::length ? state::done : state::chunk_data_cr;
}

bool body_reader::step(char c) {
    const bool on_chunk_line = state_ >= state::chunk_size_first && state_ <= state::chunk_line_lf;
    if (on_chunk_line && ++line_bytes_ > limits_.chunk_line_bytes_max) return fail(fault::chunk_line_too_long);
    if (state_ >= state::trailer_start && ++trailer_bytes_ > limits_.trailer_bytes_max)
        return fail(fault::trailer_too_long);

    switch (state_) {
    case state::chunk_size_first:
    case state::chunk_size:
        if (const int digit = hex_digit(c); digit >= 0) {
            if (left_ > (length_max >> 4)) return fail(fault::malformed);
            left_ = left_ << 4 | static_cast<std::uint64_t>(digit);
            state_ = state::chunk_size;
            return true;
        }
        if (state_ == state::chunk_size_first) return fail(fault::malformed);
        if (c == ';') return state_ = state::chunk_extension, true;
        if (c == '\r') return state_ = state::chunk_line_lf, true;
        return fail(fault::malformed); // blanks before the extension included: readers differ on them
    case state::chunk_extension:
        if (c == '\r') return state_ = state::chunk_line_lf, true;
        if (c == '"') return state_ = state::chunk_quoted, true;
        return is_text_char(c) || fail(fault::malformed);
    case state::chunk_quoted:
        if (c == '"') return state_ = state::chunk_extension, true;
        if (c == '\\') return state_ = state::chunk_quoted_pair, true;
        return is_text_char(c) || fail(fault::malformed);
    case state::chunk_quoted_pair:
        state_ = state::chunk_quoted;
        return is_text_char(c) || fail(fault::malformed);
    case state::chunk_line_lf:
        if (c != '\n') return fail(fault::malformed);
        line_bytes_ = 0;
        state_ = left_ ? state::chunk_data : state::trailer_start;
        return true;
    case state::chunk_data_cr:
        if (c != '\r') return fail(fault::malformed);
        return state_ = state::chunk_data_lf, true;
    case state::chunk_data_lf:
        if (c != '\n') return fail(fault::malformed);
        return state_ = state::chunk_size_first, true;
    case state::trailer_start:
        if (c == '\r') return state_ = state::final_lf, true;
        name_length_ = 0;
        state_ = state::trailer_name;
        [[fallthrough]];
    case state::trailer_name:
        if (c == ':') {
            if (!trailer_name_ended()) return fail(fault::malformed);
            return state_ = state::trailer_value, true;
        }
        if (!is_token_char(c)) return fail(fault::malformed); // a folded line too
        if (name_length_ < sizeof name_) name_[name_length_] = ascii_lower(c);
        if (name_length_ <= sizeof name_) ++name_length_;
        return true;
    case state::trailer_value:
        if (c == '\r') return state_ = state::trailer_lf, true;
        return is_text_char(c) || fail(fault::malformed);
    case state::trailer_lf:
        if (c != '\n') return fail(fault::malformed);
        return state_ = state::trailer_start, true;
    case state::final_lf:
        if (c != '\n') return fail(fault::malformed);
        return state_ = state::done, true;
    case state::done:
    case state::length:
    case state::until_close:
    case state::chunk_data:
        break;
    }
    return true;
}

bool body_reader::trailer_name_ended() {
    if (name_length_ == 0) return false;
    return name_length_ > sizeof name_ || !is_forbidden_in_trailers({name_, name_length_});
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
