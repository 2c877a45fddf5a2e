#include "proxy/control_plane/wording.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iterator>
#include <limits>

namespace sidecar {

std::string singular(std::string_view plural) {
    for (const std::string_view no_plural : {"ss", "us", "is"})
        if (plural.ends_with(no_plural)) return std::string(plural);
    if (plural.size() > 3 && plural.ends_with("ies")) return std::string(plural.substr(0, plural.size() - 3)) + "y";
    if (plural.size() > 1 && plural.ends_with('s')) plural.remove_suffix(1);
    return std::string(plural);
}

std::string count_words(std::uint64_t n) {
    std::string digits = std::to_string(n);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), "\u202f");
    return digits;
}

std::string size_words(std::uint64_t bytes) {
    if (bytes < 1024) return fmt::format("{} B", bytes);
    const char* const units[] = {"KiB", "MiB", "GiB", "TiB"};
    auto scaled = static_cast<double>(bytes) / 1024;
    std::size_t unit = 0;
    for (; scaled >= 1024 && unit + 1 < std::size(units); ++unit) scaled /= 1024;
    return fmt::format("{:.1f} {}", scaled, units[unit]);
}

std::string span_words(double seconds) {
    if (seconds < 0.001) return fmt::format("{:.2g} ms", seconds * 1000);
    if (seconds < 0.9995) return fmt::format("{:.3g} ms", seconds * 1000);
    if (seconds < 9.95) return fmt::format("{:.1f} s", seconds);
    if (seconds < 119.5) return fmt::format("{:.0f} s", seconds);
    const auto minutes = static_cast<std::int64_t>(seconds / 60);
    if (minutes < 120) return fmt::format("{} min", minutes);
    const auto hours = minutes / 60;
    if (hours < 48) return fmt::format("{} h", hours);
    if (hours < 24 * 10 && hours % 24 != 0) return fmt::format("{} d {} h", hours / 24, hours % 24);
    return fmt::format("{} d", hours / 24);
}

std::string age_words(double seconds) { return seconds < 1 ? fmt::format("{:.1f} s", seconds) : span_words(seconds); }

std::string rate_words(double per_second) {
    if (per_second == 0) return "0";
    if (per_second < 1) return fmt::format("{:.2f}", per_second);
    if (per_second < 99.95) return fmt::format("{:.1f}", per_second);
    return count_words(static_cast<std::uint64_t>(std::llround(per_second)));
}

std::string share_words(double part, double whole) {
    if (part <= 0 || whole <= 0) return "0 %";
    const auto share = 100 * part / whole;
    if (share >= 100) return "100 %";
    if (share < 0.1) return "< 0.1 %";
    if (share < 9.95) return fmt::format("{:.1f} %", share);
    return fmt::format("{:.0f} %", std::min(share, 99.0));
}

std::optional<double> quantile(const summed_histogram& of, double q) {
    if (of.count == 0) return std::nullopt;
    const double wanted = q * static_cast<double>(of.count);
    double below = 0;
    for (std::size_t i = 0; i < histogram::bounds.size(); ++i) {
        const auto here = static_cast<double>(of.buckets[i]);
        if (below + here >= wanted && here > 0) {
            const double from = i == 0 ? 0 : histogram::bounds[i - 1];
            return from + (histogram::bounds[i] - from) * (wanted - below) / here;
        }
        below += here;
    }
    return std::numeric_limits<double>::infinity();
}

std::string quantile_words(const summed_histogram& of, double q) {
    const auto value = quantile(of, q);
    if (!value) return "-";
    return std::isinf(*value) ? "> " + span_words(histogram::bounds.back()) : span_words(*value);
}

} // namespace sidecar
