// Where a message's body ends (RFC 9112 6 and 7). Follows the bytes as they pass, without changing or keeping them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sidecar {

struct body_framing {
    enum class kind : std::uint8_t { none, length, chunked, until_close };
    kind how = kind::none;
    std::uint64_t length = 0;
};

// Is told of the payload between the framing, and of trailer lines.
class payload_sink {
public:
    virtual void payload(std::string_view bytes) = 0;
    // The trailer section's bytes as they came, in pieces, the final empty line aside.
    virtual void trailer(std::string_view bytes) = 0;

protected:
    ~payload_sink() = default;
};

class body_reader {
public:
    struct limits {
        std::size_t chunk_line_bytes_max;
        std::size_t trailer_bytes_max;
    };
    enum class fault : std::uint8_t { none, malformed, chunk_line_too_long, trailer_too_long };

    body_reader() = default;
    body_reader(body_framing, limits) noexcept;

    // How many of these bytes belong to the message. Fewer than given: it is done, or there is a fault (then those
    // before it).
    std::size_t follow(std::string_view bytes, payload_sink* = nullptr);

    // How many of the next bytes are payload, whatever they are. 0: the next one is framing, or not the body's.
    std::uint64_t payload_ahead() const noexcept;
    // So many of them have passed unseen; no more than payload_ahead().
    void skip(std::uint64_t payload) noexcept;

    bool done() const noexcept { return state_ == state::done; }
    fault failed() const noexcept { return fault_; }
    bool until_close() const noexcept { return state_ == state::until_close; }
    // FIN has come. True: that was the end, or the message is complete already.
    bool end_of_stream() noexcept;
    // How much may be read without reading beyond the message: exact for a length, a guess of 0 (unknown) otherwise.
    std::uint64_t bytes_left_by_length() const noexcept { return state_ == state::length ? left_ : 0; }
    std::uint64_t payload_bytes() const noexcept { return payload_bytes_; }

private:
    enum class state : std::uint8_t {
        done,
        length,
        until_close,
        chunk_size_first,
        chunk_size,
        chunk_extension,
        chunk_quoted,
        chunk_quoted_pair,
        chunk_line_lf,
        chunk_data,
        chunk_data_cr,
        chunk_data_lf,
        trailer_start,
        trailer_name,
        trailer_value,
        trailer_lf,
        final_lf,
    };

    bool step(char c);         // one byte of chunk framing
    bool trailer_name_ended(); // false: a field that no trailer may hold
    bool fail(fault why) noexcept;

    state state_ = state::done;
    fault fault_ = fault::none;
    std::uint8_t name_length_ = 0;
    char name_[20] = {}; // the trailer field's name so far, lower case; longer ones can't be forbidden ones
    limits limits_{};
    std::size_t line_bytes_ = 0;    // of the present chunk line
    std::size_t trailer_bytes_ = 0; // of the trailer section
    std::uint64_t left_ = 0;        // of the body, or of the present chunk
    std::uint64_t payload_bytes_ = 0;
};

} // namespace sidecar
