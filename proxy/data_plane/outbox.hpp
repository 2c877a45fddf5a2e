// Bytes waiting to be written to one connection: views into buffers, in order, written together (writev); or a piece of
// a body in a pipe.
#pragma once

#include "proxy/data_plane/connection.hpp"

#include <forward_list>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

class outbox {
public:
    explicit outbox(pipe_pool& pipes) : piped_(pipes) {}

    // The bytes must stand until the outbox is empty. Neighbours become one piece.
    void add(std::string_view bytes);
    // Keeps a copy itself.
    void add_own(std::initializer_list<std::string_view> parts);
    void add_own(std::string_view bytes) { add_own({bytes}); }

    // Reads at most so many bytes that nobody here needs to see; only into an empty one. Nothing: no pipe is to be had
    // while others hold `pipes_max`.
    std::optional<io_result> pass_from(connection&, std::uint64_t at_most, std::size_t pipes_max) noexcept;

    bool empty() const noexcept { return next_ == pieces_.size() && piped_.empty(); }
    // One write. `bytes` of the result have gone.
    io_result flush(connection&) noexcept;
    void clear() noexcept;
    std::string joined() const; // what is waiting, as one string

private:
    std::vector<iovec> pieces_;
    std::size_t next_ = 0;
    pipe_buffer piped_; // only when there are no pieces
    std::string own_;   // never grows: pieces point into it
    std::forward_list<std::string> more_;
};

} // namespace sidecar
