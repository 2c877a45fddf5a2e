#include "proxy/data_plane/pipe_buffer.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace sidecar {

namespace {

// What forbids the call does so before anyone looks at its arguments.
bool splice_is_allowed() noexcept {
    return ::splice(-1, nullptr, -1, nullptr, 1, SPLICE_F_NONBLOCK) < 0 && errno == EBADF;
}

void close_both(pipe_pool::ends pipe) noexcept {
    ::close(pipe.read);
    ::close(pipe.write);
}

} // namespace

pipe_pool::pipe_pool() : allowed_(splice_is_allowed()) { idle_.reserve(kept_max); }

pipe_pool::~pipe_pool() {
    for (const auto each : idle_) close_both(each);
}

pipe_pool::ends pipe_pool::take(std::size_t max) noexcept {
    if (held_ >= max || !allowed_) return {};
    if (!idle_.empty()) {
        const auto last = idle_.back();
        idle_.pop_back();
        ++held_;
        return last;
    }
    int made[2];
    if (::pipe2(made, O_NONBLOCK | O_CLOEXEC) != 0) return {};
    // Packets of a network leave most of a pipe's slots half empty, so it takes some. A user who has used up its share
    // of pipes' memory gets two; then to copy is cheaper.
    if (::fcntl(made[1], F_SETPIPE_SZ, static_cast<int>(bytes_max)) < 0) {
        close_both({made[0], made[1]});
        return {};
    }
    ++held_;
    return {made[0], made[1]};
}

void pipe_pool::give_back(ends pipe, bool is_empty) noexcept {
    --held_;
    if (is_empty && idle_.size() < kept_max)
        idle_.push_back(pipe);
    else
        close_both(pipe);
}

bool pipe_buffer::reserve(std::size_t pipes_max) noexcept {
    if (pipe_.read < 0) pipe_ = pool_->take(pipes_max);
    return pipe_.read >= 0;
}

void pipe_buffer::release() noexcept {
    if (pipe_.read >= 0) pool_->give_back(std::exchange(pipe_, {}), empty());
    size_ = 0;
}

} // namespace sidecar
