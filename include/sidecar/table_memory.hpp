// Memory for tables that may be large. From 4 MiB on the kernel is asked for large pages: to have so much of it page by
// page takes longer than to fill it, and each look-up would miss the page's translation, too. Where it has none to give,
// it is memory as any.
#pragma once

#include <cstddef>

namespace sidecar {

void* take_table_memory(std::size_t bytes); // throws std::bad_alloc
void give_back_table_memory(void* memory, std::size_t bytes) noexcept;

template <class T>
struct table_allocator {
    using value_type = T;

    table_allocator() = default;
    template <class U>
    table_allocator(const table_allocator<U>&) noexcept {}

    T* allocate(std::size_t n) { return static_cast<T*>(take_table_memory(n * sizeof(T))); }
    void deallocate(T* memory, std::size_t n) noexcept { give_back_table_memory(memory, n * sizeof(T)); }
    friend bool operator==(const table_allocator&, const table_allocator&) { return true; }
};

} // namespace sidecar
