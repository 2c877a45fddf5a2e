#include "proxy/data_plane/outbox.hpp"

#include <algorithm>
#include <cstring>

namespace sidecar {

void outbox::add(std::string_view bytes) {
    if (bytes.empty()) return;
    if (!empty()) {
        auto& last = pieces_.back();
        if (static_cast<const char*>(last.iov_base) + last.iov_len == bytes.data()) {
            last.iov_len += bytes.size();
            return;
        }
    }
    pieces_.push_back({const_cast<char*>(bytes.data()), bytes.size()});
}

namespace {

constexpr std::size_t own_bytes = 1024; // the fields and short bodies that a usual message is given

// Few bytes in many pieces: to copy them together costs less than to have the kernel gather them.
constexpr std::size_t copied_max = 4096;

io_result write_together(connection& to, std::span<const iovec> pieces) noexcept {
    if (pieces.size() == 1) return to.write(pieces);
    char copy[copied_max];
    std::size_t size = 0;
    for (const auto& piece : pieces) {
        if (piece.iov_len > copied_max - size) return to.write(pieces);
        std::memcpy(copy + size, piece.iov_base, piece.iov_len);
        size += piece.iov_len;
    }
    return to.write(std::string_view(copy, size));
}

} // namespace

void outbox::add_own(std::initializer_list<std::string_view> parts) {
    std::size_t size = 0;
    for (const auto part : parts) size += part.size();
    own_.reserve(own_bytes);
    auto& to = own_.size() + size <= own_.capacity() ? own_ : more_.emplace_front();
    const auto at = to.size();
    to.reserve(at + size);
    for (const auto part : parts) to += part;
    add(std::string_view(to).substr(at));
}

std::optional<io_result> outbox::pass_from(connection& from, std::uint64_t at_most, std::size_t pipes_max) noexcept {
    if (!piped_.reserve(pipes_max)) return std::nullopt;
    const auto read = from.read(piped_, std::min<std::uint64_t>(at_most, pipe_pool::bytes_max));
    if (piped_.empty()) piped_.release();
    return read;
}

io_result outbox::flush(connection& to) noexcept {
    if (!piped_.empty()) {
        const auto written = to.write(piped_);
        if (piped_.empty()) piped_.release();
        return written;
    }
    const auto written = write_together(to, {pieces_.data() + next_, pieces_.size() - next_});
    auto left = written.bytes;
    while (left > 0) {
        auto& piece = pieces_[next_];
        if (left < piece.iov_len) {
            piece.iov_base = static_cast<char*>(piece.iov_base) + left;
            piece.iov_len -= left;
            break;
        }
        left -= piece.iov_len;
        ++next_;
    }
    if (empty()) clear();
    return written;
}

std::string outbox::joined() const {
    std::string all;
    for (std::size_t i = next_; i < pieces_.size(); ++i)
        all.append(static_cast<const char*>(pieces_[i].iov_base), pieces_[i].iov_len);
    return all;
}

void outbox::clear() noexcept {
    pieces_.clear();
    next_ = 0;
    own_.clear();
    more_.clear();
    piped_.release();
}

} // namespace sidecar
