// JSON lines on a descriptor (stdout). Writing a line never waits for the descriptor: lines go through bounded queues
// to one writer thread; what does not fit is dropped and counted.
#pragma once

#include "sidecar/config.hpp"

#include <atomic>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <variant>

namespace sidecar {

struct log_value {
    std::string_view name;
    std::variant<std::string_view, std::int64_t, double, bool> value;
};

class log {
public:
    explicit log(int descriptor, log_level least = log_level::info);
    ~log(); // writes what is queued, within a second
    log(const log&) = delete;
    log& operator=(const log&) = delete;

    // Any thread. {"time":"..Z","level":"info","msg":"..",...}; text is escaped, and cut at 4 KiB.
    void line(log_level, std::string_view message, std::initializer_list<log_value> values = {});

    // One producer's own queue, lock-free: for a worker's access lines.
    class queue {
    public:
        virtual ~queue() = default;
        // A whole line with its line end. False: full, dropped, counted.
        virtual bool push(std::string_view line) noexcept = 0;
    };
    std::shared_ptr<queue> open_queue(std::size_t bytes);

    // Lines below it are left out. One load: asked before each line is made.
    log_level least() const noexcept { return least_.load(std::memory_order_relaxed); }
    void set_least(log_level level) noexcept { least_.store(level, std::memory_order_relaxed); }
    std::uint64_t dropped() const noexcept; // lines, since the start, over all queues

private:
    class writer;
    std::atomic<log_level> least_;
    std::unique_ptr<writer> writer_;
};

} // namespace sidecar
