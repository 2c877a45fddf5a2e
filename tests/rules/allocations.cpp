#include "tests/rules/allocations.hpp"

#include "tests/harness/patience.hpp"

#include <cstdlib>
#include <new>

namespace {
thread_local std::size_t count = 0;
}

namespace sidecar::testing {
std::size_t allocations() noexcept { return count; }
} // namespace sidecar::testing

// Under sanitizers operator new is theirs, and nothing is counted.
#if !SIDECAR_TESTS_SANITIZED

void* operator new(std::size_t bytes, const std::nothrow_t&) noexcept {
    ++count;
    return std::malloc(bytes == 0 ? 1 : bytes);
}

void* operator new(std::size_t bytes) {
    if (void* memory = operator new(bytes, std::nothrow)) return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

#endif
