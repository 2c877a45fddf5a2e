// A worker's lines on their way to the log: a queue of its own, so that nothing is ever waited for, and memory that is
// used again. One thread.
#pragma once

#include "proxy/log/json_line.hpp"
#include "sidecar/log.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace sidecar {

class worker_log {
public:
    worker_log(log& of, unsigned worker_index) noexcept : log_(of), worker_(worker_index) {}
    worker_log(const worker_log&) = delete;
    worker_log& operator=(const worker_log&) = delete;

    void open(std::size_t bytes) { queue_ = log_.open_queue(bytes); }

    // Whether anyone reads lines of this level. To be asked before anything is gathered for one: what nobody reads
    // costs a comparison.
    bool takes(log_level level) const noexcept { return level >= log_.least(); }
    bool explains() const noexcept { return takes(log_level::debug); }

    // One line: begun, added to, and given to push() before the next is begun. A debug line names the worker.
    json_line begin(log_level, std::string_view message);
    void push(json_line& whole) {
        if (queue_) queue_->push(whole.end());
    }

private:
    std::string_view time_now(); // 2026-01-01T00:00:00.000Z, made once a millisecond

    log& log_;
    const unsigned worker_;
    std::shared_ptr<log::queue> queue_;
    std::string memory_;
    std::string time_;
    std::int64_t time_ms_ = -1;
};

} // namespace sidecar
