// Lines on their way from one producer to the log's writer: a ring of bytes, without a lock. One thread pushes, one
// other takes.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace sidecar {

class log_ring {
public:
    explicit log_ring(std::size_t bytes_least)
        : capacity_(std::bit_ceil(std::max<std::size_t>(bytes_least, 1024))),
          bytes_(std::make_unique_for_overwrite<char[]>(capacity_)) {}

    // The producer. Whole or, if there is no room, not at all.
    bool push(std::string_view line) noexcept {
        const auto end = end_.load(std::memory_order_relaxed);
        if (capacity_ - (end - begin_seen_) < line.size()) {
            begin_seen_ = begin_.load(std::memory_order_acquire);
            if (capacity_ - (end - begin_seen_) < line.size()) return false;
        }
        const auto at = end & (capacity_ - 1);
        const auto first = std::min(line.size(), capacity_ - at);
        std::memcpy(bytes_.get() + at, line.data(), first);
        std::memcpy(bytes_.get(), line.data() + first, line.size() - first);
        // Not just release: it must be seen before the producer looks whether the writer sleeps (doorbell).
        end_.store(end + line.size(), std::memory_order_seq_cst);
        return true;
    }

    // The taker: how many bytes there are, and the first of them that lie together.
    std::size_t size() const noexcept {
        return end_.load(std::memory_order_seq_cst) - begin_.load(std::memory_order_relaxed);
    }
    std::string_view front(std::size_t bytes_most) const noexcept {
        const auto at = begin_.load(std::memory_order_relaxed) & (capacity_ - 1);
        return {bytes_.get() + at, std::min({bytes_most, size(), capacity_ - at})};
    }
    void pop(std::size_t bytes) noexcept {
        begin_.store(begin_.load(std::memory_order_relaxed) + bytes, std::memory_order_release);
    }

private:
    const std::size_t capacity_; // a power of two: positions count on and on
    const std::unique_ptr<char[]> bytes_;
    alignas(64) std::atomic<std::size_t> begin_{0}; // the taker's cache line
    alignas(64) std::atomic<std::size_t> end_{0};   // the producer's
    std::size_t begin_seen_ = 0;
};

} // namespace sidecar
