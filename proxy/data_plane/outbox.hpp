// Bytes waiting to be written to one connection: views into buffers, in order, written together (writev).
#pragma once

#include "proxy/data_plane/connection.hpp"

#include <forward_list>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

class outbox {
public:
    // The bytes must stand until the outbox is empty. Neighbours become one piece.
    void add(std::string_view bytes);
    // Keeps a copy itself.
    void add_own(std::initializer_list<std::string_view> parts);
    void add_own(std::string_view bytes) { add_own({bytes}); }

    bool empty() const noexcept { return next_ == pieces_.size(); }
    // One write. `bytes` of the result have gone.
    io_result flush(connection&) noexcept;
    void clear() noexcept;
    std::string joined() const; // what is waiting, as one string

private:
    std::vector<iovec> pieces_;
    std::size_t next_ = 0;
    std::string own_; // never grows: pieces point into it
    std::forward_list<std::string> more_;
};

} // namespace sidecar
