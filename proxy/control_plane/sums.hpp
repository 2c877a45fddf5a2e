// The workers' counters added up.
#pragma once

#include "sidecar/metrics.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace sidecar {

using worker_list = std::vector<const worker_metrics*>;

// `pick` names a counter of one worker: sum(workers, [](auto& w) -> auto& { return w.learned; }).
template <class Pick>
std::uint64_t sum(const worker_list& workers, Pick pick) {
    std::uint64_t total = 0;
    for (const auto* worker : workers) total += pick(*worker).get();
    return total;
}

inline std::uint64_t sum(const worker_list& workers, counter worker_metrics::*which) {
    return sum(
        workers, [which](auto& w) -> auto& { return w.*which; });
}

struct summed_histogram {
    std::array<std::uint64_t, histogram::bounds.size() + 1> buckets{}; // each its own
    std::uint64_t count = 0;
    double seconds = 0;

    void add(const histogram& other) {
        for (std::size_t i = 0; i < buckets.size(); ++i) {
            const auto n = other.buckets[i].get();
            buckets[i] += n;
            count += n;
        }
        seconds += static_cast<double>(other.sum_nanoseconds.get()) / 1e9;
    }
};

template <class Pick>
summed_histogram sum_histograms(const worker_list& workers, Pick pick) {
    summed_histogram total;
    for (const auto* worker : workers) total.add(pick(*worker));
    return total;
}

} // namespace sidecar
