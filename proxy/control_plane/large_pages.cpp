#include "proxy/control_plane/large_pages.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <new>

namespace sidecar {
namespace {

constexpr std::size_t large_bytes = 4 * 1024 * 1024;
constexpr std::size_t large_page = 2 * 1024 * 1024;

class large_page_resource final : public std::pmr::memory_resource {
    static std::align_val_t alignment_for(std::size_t bytes, std::size_t alignment) noexcept {
        return std::align_val_t{bytes < large_bytes ? alignment : std::max(alignment, large_page)};
    }
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        void* const memory = ::operator new(bytes, alignment_for(bytes, alignment));
        if (bytes >= large_bytes) ::madvise(memory, bytes, MADV_HUGEPAGE); // where it can't be had, nothing changes
        return memory;
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        ::operator delete(memory, alignment_for(bytes, alignment));
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

} // namespace

std::pmr::memory_resource& large_pages() noexcept {
    static large_page_resource resource;
    return resource;
}

} // namespace sidecar
