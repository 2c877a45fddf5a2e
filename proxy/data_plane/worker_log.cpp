#include "proxy/data_plane/worker_log.hpp"

#include <chrono>

namespace sidecar {

json_line worker_log::begin(log_level level, std::string_view message) {
    json_line line(memory_, time_now(), level, message);
    if (level == log_level::debug) line.add("worker", std::uint64_t{worker_});
    return line;
}

std::string_view worker_log::time_now() {
    const auto now = std::chrono::system_clock::now();
    const auto ms = std::chrono::floor<std::chrono::milliseconds>(now.time_since_epoch()).count();
    if (ms != time_ms_) {
        time_.clear();
        append_log_time(time_, now);
        time_ms_ = ms;
    }
    return time_;
}

} // namespace sidecar
