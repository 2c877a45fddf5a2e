// Memory for tables that may be large. From 4 MiB on the kernel is asked for large pages: to have so much of it page by
// page takes longer than to fill it, and each look-up would miss the page's translation, too. Where it has none to
// give, it is memory as any. Any thread.
#pragma once

#include <memory_resource>

namespace sidecar {

std::pmr::memory_resource& large_pages() noexcept; // lives as long as the process

} // namespace sidecar
