#include "sidecar/table_memory.hpp"

#include <sys/mman.h>

#include <new>

namespace sidecar {
namespace {
constexpr std::size_t large_bytes = 4 * 1024 * 1024;
constexpr std::align_val_t large_page{2 * 1024 * 1024};
} // namespace

void* take_table_memory(std::size_t bytes) {
    if (bytes < large_bytes) return ::operator new(bytes);
    void* const memory = ::operator new(bytes, large_page);
    ::madvise(memory, bytes, MADV_HUGEPAGE); // where it can't be had, nothing changes
    return memory;
}

void give_back_table_memory(void* memory, std::size_t bytes) noexcept {
    if (bytes < large_bytes)
        ::operator delete(memory);
    else
        ::operator delete(memory, large_page);
}

} // namespace sidecar
