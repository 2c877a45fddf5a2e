// The ids of DDS resources: RFC 9562 UUIDs in their 36-character text form, compared without regard to case.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

struct uuid {
    std::uint64_t high = 0;
    std::uint64_t low = 0;

    friend auto operator<=>(const uuid&, const uuid&) = default;
};

// Only the form 8-4-4-4-12 of hexadecimal digits (any version, either case); anything else is no id to us (docs/behaviour.md 3).
std::optional<uuid> parse_uuid(std::string_view text) noexcept;

// Lower case.
std::string to_string(const uuid& id);

} // namespace sidecar
