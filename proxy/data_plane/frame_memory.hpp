// Memory of coroutine frames: freed frames are kept by size, for the same thread's next. A forwarded request has three,
// and malloc for them costs 2 % of it. Sanitizer builds keep none, so that each use after the end of a frame is seen.
#pragma once

#include <array>
#include <cstddef>
#include <new>

namespace sidecar {

class frame_memory {
public:
    frame_memory() = default;
    ~frame_memory();
    frame_memory(const frame_memory&) = delete;
    frame_memory& operator=(const frame_memory&) = delete;

    static frame_memory& of_this_thread();

    void* take(std::size_t size);
    void give_back(void* memory, std::size_t size) noexcept;

private:
    struct free_frame {
        free_frame* next;
    };
    static constexpr std::size_t step = 64;
    static constexpr std::size_t classes = 160; // up to 10 KiB: an exchange's frame holds its head
#ifdef SIDECAR_SANITIZED
    static constexpr std::size_t kept_max = 0;
#else
    static constexpr std::size_t kept_max = 256;
#endif

    std::array<free_frame*, classes> free_{};
    std::array<std::size_t, classes> kept_{};
};

} // namespace sidecar
