#include "proxy/data_plane/frame_memory.hpp"

#include <utility>

namespace sidecar {

frame_memory& frame_memory::of_this_thread() {
    thread_local frame_memory memory;
    return memory;
}

void* frame_memory::take(std::size_t size) {
    const auto at = (size - 1) / step;
    if (at >= classes) return ::operator new(size);
    if (auto* frame = free_[at]) {
        free_[at] = frame->next;
        --kept_[at];
        return frame;
    }
    return ::operator new((at + 1) * step);
}

void frame_memory::give_back(void* memory, std::size_t size) noexcept {
    const auto at = (size - 1) / step;
    if (at >= classes || kept_[at] >= kept_max) return ::operator delete(memory);
    free_[at] = new (memory) free_frame{free_[at]};
    ++kept_[at];
}

frame_memory::~frame_memory() { free_kept(); }

bool frame_memory::free_kept() noexcept {
    bool any = false;
    for (auto& frame : free_) {
        while (frame) {
            ::operator delete(std::exchange(frame, frame->next));
            any = true;
        }
    }
    kept_.fill(0);
    return any;
}

} // namespace sidecar
