#include "sidecar/metrics.hpp"

#include <algorithm>

namespace sidecar {

void histogram::observe(std::chrono::nanoseconds took) noexcept {
    const double seconds = std::chrono::duration<double>(took).count();
    const auto place = std::lower_bound(bounds.begin(), bounds.end(), seconds) - bounds.begin();
    buckets[static_cast<std::size_t>(place)].add();
    sum_nanoseconds.add(static_cast<std::uint64_t>(std::max<std::int64_t>(took.count(), 0)));
}

std::string_view to_string(limit which) noexcept {
    switch (which) {
    case limit::connections:
        return "connections";
    case limit::header_bytes:
        return "header_bytes";
    case limit::header_fields:
        return "header_fields";
    case limit::target_bytes:
        return "target_bytes";
    case limit::chunk_line:
        return "chunk_line";
    case limit::trailer_bytes:
        return "trailer_bytes";
    case limit::upstream_connections:
        return "upstream_connections";
    case limit::augment_body:
        return "augment_body";
    case limit::learn_body:
        return "learn_body";
    case limit::learn_entries:
        return "learn_entries";
    case limit::header_timeout:
        return "header_timeout";
    case limit::body_timeout:
        return "body_timeout";
    case limit::write_timeout:
        return "write_timeout";
    case limit::response_timeout:
        return "response_timeout";
    }
    return "unknown";
}

std::string_view to_string(poll_failure why) noexcept {
    switch (why) {
    case poll_failure::name:
        return "name";
    case poll_failure::connect:
        return "connect";
    case poll_failure::tls:
        return "tls";
    case poll_failure::timeout:
        return "timeout";
    case poll_failure::closed:
        return "closed";
    case poll_failure::bad_http:
        return "bad_http";
    case poll_failure::redirect:
        return "redirect";
    case poll_failure::status:
        return "status";
    case poll_failure::media_type:
        return "media_type";
    case poll_failure::too_large:
        return "too_large";
    case poll_failure::bad_document:
        return "bad_document";
    case poll_failure::secret:
        return "secret";
    }
    return "unknown";
}

} // namespace sidecar
