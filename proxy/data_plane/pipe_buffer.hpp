// Bytes under way that stay in the kernel: they go from one connection into a pipe, and from it into another one
// (splice(2)), without being copied to here and back. For bodies, of which nobody needs to see the bytes.
#pragma once

#include <cstddef>
#include <vector>

namespace sidecar {

// A worker's pipes. One is held only while there are bytes in it, so their number bounds how much waits in the kernel.
class pipe_pool {
public:
    static constexpr std::size_t bytes_max = 128 * 1024; // in one pipe

    pipe_pool();
    ~pipe_pool();
    pipe_pool(const pipe_pool&) = delete;
    pipe_pool& operator=(const pipe_pool&) = delete;

    struct ends {
        int read = -1;
        int write = -1;
    };

    // read < 0: none is to be had, as `max` are held, or the kernel refuses.
    ends take(std::size_t max) noexcept;
    void give_back(ends, bool is_empty) noexcept;
    bool allowed() const noexcept { return allowed_; } // a sandbox may forbid splice(2)

private:
    static constexpr std::size_t kept_max = 16; // open while nobody needs them

    bool allowed_;
    std::size_t held_ = 0;
    std::vector<ends> idle_;
};

class pipe_buffer {
public:
    explicit pipe_buffer(pipe_pool& pool) : pool_(&pool) {}
    ~pipe_buffer() { release(); }
    pipe_buffer(const pipe_buffer&) = delete;
    pipe_buffer& operator=(const pipe_buffer&) = delete;

    bool empty() const noexcept { return size_ == 0; }
    std::size_t size() const noexcept { return size_; }

    // Before bytes come. False: there is no pipe for them (pipe_pool::take).
    bool reserve(std::size_t pipes_max) noexcept;
    int write_end() const noexcept { return pipe_.write; }
    int read_end() const noexcept { return pipe_.read; }
    void commit(std::size_t n) noexcept { size_ += n; }
    void consume(std::size_t n) noexcept { size_ -= n; }
    // Gives the pipe back; what was in it is gone.
    void release() noexcept;

private:
    pipe_pool* pool_;
    pipe_pool::ends pipe_;
    std::size_t size_ = 0;
};

} // namespace sidecar
