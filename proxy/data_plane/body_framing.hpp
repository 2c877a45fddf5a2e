// Where a message's body ends (RFC 9112 6 and 7), and which of its bytes travel on. Nothing else lets body bytes out,
// and nothing behind the end of the message can come out of it. No I/O.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sidecar {

struct body_framing {
    enum class kind : std::uint8_t { none, length, chunked, until_close };
    kind how = kind::none;
    std::uint64_t length = 0;
};

// Is told of the payload between the framing, and of the trailer lines that go on.
class payload_sink {
public:
    virtual void payload(std::string_view bytes) = 0;
    virtual void trailer(std::string_view line) = 0; // a whole one, CRLF included

protected:
    ~payload_sink() = default;
};

// To an HTTP/1.0 client: the payload alone, without chunk framing and trailers.
enum class dechunk : bool { no, yes };

class body_reader {
public:
    struct limits {
        std::size_t chunk_line_bytes_max;
        std::size_t trailer_bytes_max;
    };
    enum class fault : std::uint8_t { none, malformed, chunk_line_too_long, trailer_too_long };

    struct piece {
        std::size_t used;     // of what was given: these bytes are done with
        std::string_view out; // of the message, to be sent on; good until the next call, or until `in` changes
    };

    body_reader() = default; // of a message without a body
    body_reader(body_framing, limits, dechunk = dechunk::no) noexcept;

    // Takes bytes as they were read, in as many calls as it needs: until all are used, done() or failed(). Usually one
    // call and one piece. Bytes that do not go on are left out in place, so `in` is changed up to `used`. Put together,
    // what comes out is the same however the bytes were cut, and so is what the sink is told.
    piece take(std::span<char> in, payload_sink* = nullptr);

    bool done() const noexcept { return state_ == state::done; }
    fault failed() const noexcept { return fault_; }
    bool until_close() const noexcept { return state_ == state::until_close; }
    // FIN has come. True: that was the end, or the message is complete already.
    bool end_of_stream() noexcept;
    // How much may be read without reading beyond the message: exact for a length, a guess of 0 (unknown) otherwise.
    std::uint64_t bytes_left_by_length() const noexcept { return state_ == state::length ? left_ : 0; }
    std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }
    bool had_trailers() const noexcept { return had_trailers_; } // whether they went on or not

private:
    // In the order of a chunk: its line, the ends of its data, and what is no framing of a chunk.
    enum class state : std::uint8_t {
        chunk_size_first,
        chunk_size,
        extension_start,
        extension_name,
        extension_name_blank,
        extension_value_start,
        extension_token,
        extension_quoted,
        extension_quoted_pair,
        extension_quoted_end,
        extension_value_blank,
        chunk_line_lf,
        chunk_data_cr,
        chunk_data_lf,
        chunk_data,
        trailer_line,
        length,
        until_close,
        done,
    };
    struct trailer_line {
        std::size_t used = 0;
        bool goes_on = false;
    };
    class kept_bytes;

    piece take_chunked(std::span<char> in, payload_sink*);
    std::size_t take_chunk_framing(std::string_view rest) noexcept;
    trailer_line take_trailer_line(std::span<const char> rest, payload_sink*);
    bool step(char c) noexcept; // one byte of chunk framing
    bool go(state next) noexcept;
    bool end_chunk_line(char c) noexcept;
    bool fail(fault why) noexcept;

    state state_ = state::done;
    fault fault_ = fault::none;
    dechunk dechunk_ = dechunk::no;
    bool had_trailers_ = false;
    std::uint8_t digits_ = 0; // of the present chunk size
    limits limits_{};
    std::size_t line_bytes_ = 0;    // of the present chunk line
    std::size_t trailer_bytes_ = 0; // of the trailer section
    std::uint64_t left_ = 0;        // of the body, or of the present chunk
    std::uint64_t payload_bytes_ = 0;
    std::string held_; // a trailer line that has not ended
};

} // namespace sidecar
