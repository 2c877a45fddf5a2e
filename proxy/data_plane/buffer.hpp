// Memory for bytes under way. A buffer at rest holds none; blocks are taken from the worker's pool and go back to it.
// One thread.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {

// Freed blocks of the usual sizes, last in, first out, so that the next request finds them in the cache. One per
// worker. Sanitizer builds keep none, so that each use after the end of a block is seen.
class buffer_pool {
public:
    static constexpr std::size_t small_bytes = 16 * 1024;  // heads and small messages
    static constexpr std::size_t large_bytes = 128 * 1024; // bodies under way

    struct block {
        std::unique_ptr<char[]> bytes;
        std::size_t size = 0;
    };

    buffer_pool();
    ~buffer_pool();
    buffer_pool(const buffer_pool&) = delete;
    buffer_pool& operator=(const buffer_pool&) = delete;

    block take(std::size_t at_least);
    void give_back(block) noexcept;

    // Of the pool that this thread has last given something back to. False: there was nothing.
    static bool free_kept() noexcept;

private:
    static thread_local buffer_pool* of_this_thread_;
    std::vector<block> small_;
    std::vector<block> large_;
};

// Contiguous bytes: [consumed][data][space].
class buffer {
public:
    buffer() = default; // without a pool: holds nothing, until another is moved into it
    explicit buffer(buffer_pool& pool) noexcept : pool_(&pool) {}
    ~buffer() { release(); }
    buffer(buffer&& other) noexcept
        : pool_(other.pool_),
          block_(std::exchange(other.block_, {})),
          begin_(std::exchange(other.begin_, 0)),
          end_(std::exchange(other.end_, 0)) {}
    buffer& operator=(buffer&& other) noexcept;

    std::string_view data() const noexcept { return {block_.bytes.get() + begin_, end_ - begin_}; }
    std::span<char> writable() noexcept { return {block_.bytes.get() + begin_, end_ - begin_}; } // data, to be edited
    bool empty() const noexcept { return begin_ == end_; }
    std::span<char> space() noexcept { return {block_.bytes.get() + end_, block_.size - end_}; }
    void commit(std::size_t n) noexcept { end_ += n; }
    void consume(std::size_t n) noexcept {
        begin_ += n;
        if (begin_ == end_) begin_ = end_ = 0;
    }
    void clear() noexcept { begin_ = end_ = 0; }
    std::size_t capacity() const noexcept { return block_.size; }

    // Room for at least `total` bytes of data. Views into data() move with it.
    void reserve(std::size_t total);
    void append(std::string_view bytes);
    // The block as it stands, with the first n bytes of data: views into them stay good. What is behind them moves to
    // a fresh block of this buffer.
    buffer take_front(std::size_t n);
    // Gives the memory back; what was in it is gone.
    void release() noexcept;

private:
    buffer_pool* pool_ = nullptr;
    buffer_pool::block block_;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

// Where a body's next bytes go, in place of the last ones, which must have gone: `large` after a read that filled it.
std::span<char> space_for_body(buffer&, bool large);

} // namespace sidecar
