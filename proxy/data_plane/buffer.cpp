#include "proxy/data_plane/buffer.hpp"

#include <algorithm>
#include <cstring>

namespace sidecar {

namespace {
#ifdef SIDECAR_SANITIZED
constexpr std::size_t kept_max = 0;
#else
constexpr std::size_t kept_max = 64; // of each size: 1 MiB and 8 MiB
#endif
} // namespace

buffer_pool::block buffer_pool::take(std::size_t at_least) {
    if (at_least > large_bytes) return {std::make_unique_for_overwrite<char[]>(at_least), at_least};
    auto& kept = at_least <= small_bytes ? small_ : large_;
    if (kept.empty()) {
        const auto size = at_least <= small_bytes ? small_bytes : large_bytes;
        return {std::make_unique_for_overwrite<char[]>(size), size};
    }
    block taken = std::move(kept.back());
    kept.pop_back();
    return taken;
}

thread_local buffer_pool* buffer_pool::of_this_thread_ = nullptr;

// Giving back takes no memory: free_kept() runs where an allocation fails, and must not find a vector that is growing.
buffer_pool::buffer_pool() {
    small_.reserve(kept_max);
    large_.reserve(kept_max);
}

buffer_pool::~buffer_pool() {
    if (of_this_thread_ == this) of_this_thread_ = nullptr;
}

bool buffer_pool::free_kept() noexcept {
    auto* const pool = of_this_thread_;
    if (!pool || (pool->small_.empty() && pool->large_.empty())) return false;
    pool->small_.clear();
    pool->large_.clear();
    return true;
}

void buffer_pool::give_back(block returned) noexcept {
    of_this_thread_ = this;
    if (returned.size != small_bytes && returned.size != large_bytes) return;
    auto& kept = returned.size == small_bytes ? small_ : large_;
    if (kept.size() < kept_max) kept.push_back(std::move(returned));
}

buffer& buffer::operator=(buffer&& other) noexcept {
    if (this == &other) return *this;
    release();
    pool_ = other.pool_;
    block_ = std::exchange(other.block_, {});
    begin_ = std::exchange(other.begin_, 0);
    end_ = std::exchange(other.end_, 0);
    return *this;
}

void buffer::reserve(std::size_t total) {
    const auto held = end_ - begin_;
    if (block_.size >= total) {
        if (block_.size - begin_ < total) {
            std::memmove(block_.bytes.get(), block_.bytes.get() + begin_, held);
            begin_ = 0;
            end_ = held;
        }
        return;
    }
    auto larger = pool_->take(total);
    if (held) std::memcpy(larger.bytes.get(), block_.bytes.get() + begin_, held);
    if (block_.bytes) pool_->give_back(std::move(block_));
    block_ = std::move(larger);
    begin_ = 0;
    end_ = held;
}

void buffer::append(std::string_view bytes) {
    if (bytes.empty()) return;
    if (space().size() < bytes.size()) {
        const auto wanted = data().size() + bytes.size();
        // Doubled where it grows beyond the usual sizes, so that many appends stay linear.
        reserve(wanted > block_.size ? std::max(wanted, 2 * data().size()) : wanted);
    }
    std::memcpy(space().data(), bytes.data(), bytes.size());
    commit(bytes.size());
}

buffer buffer::take_front(std::size_t n) {
    buffer rest(*pool_);
    rest.append(data().substr(n));
    buffer front(std::move(*this));
    front.end_ = front.begin_ + n;
    *this = std::move(rest);
    return front;
}

void buffer::release() noexcept {
    if (block_.bytes) pool_->give_back(std::move(block_));
    block_ = {};
    begin_ = end_ = 0;
}

std::span<char> space_for_body(buffer& in, bool large) {
    const auto wanted = large ? buffer_pool::large_bytes : buffer_pool::small_bytes;
    in.clear();
    if (in.capacity() < wanted) in.release();
    in.reserve(wanted);
    return in.space();
}

} // namespace sidecar
