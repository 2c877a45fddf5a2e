// Which program this is.
#pragma once

#include <string_view>

namespace sidecar {

std::string_view version() noexcept;  // 1.1.0
std::string_view revision() noexcept; // the commit that it was built from; +: and changes to it; unknown

} // namespace sidecar
