// What the kernel knows about this process, for the `process_` metrics that every Prometheus client exposes.
#pragma once

#include <cstddef>
#include <string>

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

// Where it runs, as Kubernetes tells it: POD_NAME or HOSTNAME; POD_NAMESPACE or the service account's. Empty: not told.
struct pod_names {
    std::string name, space;
};
pod_names read_pod_names();

} // namespace sidecar
