// What the kernel knows about this process, for the `process_` metrics that every Prometheus client exposes.
#pragma once

#include <cstddef>

namespace sidecar {

struct process_figures {
    double cpu_seconds = 0;     // user and system
    double start_time_unix = 0; // seconds
    std::size_t resident_bytes = 0;
    std::size_t virtual_bytes = 0;
    std::size_t open_descriptors = 0;
    std::size_t descriptors_max = 0; // soft limit
    std::size_t threads = 0;
};

process_figures read_process_figures();

} // namespace sidecar
