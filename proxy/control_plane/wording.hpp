// Figures in words, as the admin page and the status text have them. Pure.
#pragma once

#include "proxy/control_plane/sums.hpp"
#include "sidecar/readiness.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

// One of those: projects -> project, properties -> property.
std::string singular(std::string_view plural);
std::string count_words(std::uint64_t);             // 1 234 567, with no-break spaces
std::string size_words(std::uint64_t bytes);        // 1.5 MiB
std::string span_words(double seconds);             // 0.27 ms, 42 s, 15 min, 2 d 4 h
std::string age_words(double seconds);              // likewise, but tenths of a second where it is short
std::string rate_words(double per_second);          // 0.25, 12.3, 119
std::string share_words(double part, double whole); // 0 %, 0.4 %, 52 %, 100 %: 0 and 100 only if it is all or none

// Seconds, within the bucket that holds it, as if its values were spread evenly: what histogram_quantile() does.
// Nothing: no values; infinity: beyond the last bound.
std::optional<double> quantile(const summed_histogram&, double q);
std::string quantile_words(const summed_histogram&, double q); // "-": no values

inline double seconds_between(time_point from, time_point to) {
    return std::chrono::duration<double>(to - from).count();
}

} // namespace sidecar
