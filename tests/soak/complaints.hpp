// What went otherwise than the scripts say. Any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace soak {

// Printed, with where the two differ; the first twenty.
void complain(std::uint64_t number, std::string_view what, std::string_view expected = {}, std::string_view got = {});
std::uint64_t complaints();

} // namespace soak
