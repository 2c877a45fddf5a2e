#include "proxy/control_plane/large_pages.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <new>

namespace sidecar {
namespace {

constexpr std::size_t large_bytes = 4 * 1024 * 1024;
constexpr std::size_t large_page = 2 * 1024 * 1024;

std::size_t whole_pages(std::size_t bytes) noexcept {
    static const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
    return (bytes + page - 1) / page * page;
}

// From the kernel itself. Of glibc's heap, which takes what is of this size from itself once the first has been freed,
// tables that are replaced by others of other sizes would leave holes of ten times what they hold.
void* map_large(std::size_t bytes) {
    const auto used = whole_pages(bytes), all = used + large_page;
    void* const got = ::mmap(nullptr, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (got == MAP_FAILED) throw std::bad_alloc();
    auto* const begin = static_cast<char*>(got);
    const auto before = (large_page - reinterpret_cast<std::uintptr_t>(begin) % large_page) % large_page;
    const auto behind = all - before - used;
    if (before != 0) ::munmap(begin, before);
    if (behind != 0) ::munmap(begin + before + used, behind);
    ::madvise(begin + before, used, MADV_HUGEPAGE); // where it can't be had, nothing changes
    return begin + before;
}

class large_page_resource final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        return bytes < large_bytes ? ::operator new (bytes, std::align_val_t{alignment}) : map_large(bytes);
    }
    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        if (bytes < large_bytes)
            ::operator delete (memory, std::align_val_t{alignment});
        else
            ::munmap(memory, whole_pages(bytes));
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

} // namespace

std::pmr::memory_resource& large_pages() noexcept {
    static large_page_resource resource;
    return resource;
}

} // namespace sidecar
