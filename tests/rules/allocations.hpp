// How often this thread has asked for memory: `operator new` is counted in the whole test program.
#pragma once

#include <cstddef>

namespace sidecar::testing {

std::size_t allocations() noexcept;

} // namespace sidecar::testing
