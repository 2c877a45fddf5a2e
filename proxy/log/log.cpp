// The log's writer: one thread that sleeps while there is nothing, gathers lines for a moment when there is something,
// and is the only one that ever waits for the descriptor.
#include "sidecar/log.hpp"

#include "proxy/log/doorbell.hpp"
#include "proxy/log/json_line.hpp"
#include "proxy/log/log_output.hpp"
#include "proxy/log/log_ring.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace sidecar {
namespace {

constexpr std::size_t lines_bytes_max = 256 * kib;   // of line(), which is for the few
constexpr milliseconds gather{10};                   // so that one write takes many lines
constexpr std::chrono::seconds to_write_the_rest{1}; // when it ends

// Shared with the producers' queues, which may live longer than the log.
struct shared_with_queues {
    doorbell bell;
    std::atomic<std::uint64_t> dropped{0};
};

class ring_queue : public log::queue {
public:
    ring_queue(std::size_t bytes, std::shared_ptr<shared_with_queues> with) : ring(bytes), with_(std::move(with)) {}

    bool push(std::string_view line) noexcept override {
        if (!ring.push(line)) {
            with_->dropped.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
        with_->bell.ring_if_asleep();
        return true;
    }

    log_ring ring;

private:
    std::shared_ptr<shared_with_queues> with_;
};

// Longer than a foreign value may be: a configuration's complaints stand in one.
constexpr std::size_t text_bytes_max = 4 * kib;

std::string make_line(log_level level, std::string_view message, std::initializer_list<log_value> values) {
    std::string time, text;
    append_log_time(time, std::chrono::system_clock::now());
    json_line line(text, time, level, message);
    for (const auto& [name, value] : values) {
        if (const auto* words = std::get_if<std::string_view>(&value))
            line.add(name, *words, text_bytes_max);
        else
            std::visit([&line, name = name](auto one) { line.add(name, one); }, value);
    }
    line.end();
    return text;
}

} // namespace

class log::writer {
public:
    explicit writer(int descriptor)
        : shared_(std::make_shared<shared_with_queues>()),
          output_(descriptor, shared_->bell) {
        // Signals are for the control thread; SIGPIPE, which goes to the writer, for nobody.
        sigset_t all, before;
        ::sigfillset(&all);
        ::pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread([this] { run(); });
        ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    ~writer() {
        output_.end_within(to_write_the_rest);
        stopping_.store(true, std::memory_order_seq_cst);
        shared_->bell.ring();
        thread_.join();
    }

    void add(const std::string& line) {
        {
            const std::lock_guard lock(mutex_);
            if (lines_.size() + line.size() > lines_bytes_max) {
                shared_->dropped.fetch_add(1, std::memory_order_relaxed);
                return;
            }
            lines_ += line;
        }
        shared_->bell.ring_if_asleep();
    }

    std::shared_ptr<queue> open_queue(std::size_t bytes) {
        auto opened = std::make_shared<ring_queue>(bytes, shared_);
        const std::lock_guard lock(mutex_);
        queues_.push_back(opened);
        return opened;
    }

    std::uint64_t dropped() const noexcept { return shared_->dropped.load(std::memory_order_relaxed); }

private:
    void run() {
        while (!stopping_.load(std::memory_order_seq_cst)) {
            shared_->bell.sleep_unless([this] { return stopping_.load(std::memory_order_seq_cst) || has_lines(); });
            if (!stopping_.load(std::memory_order_seq_cst)) shared_->bell.wait(-1, gather);
            write_what_can_be();
        }
        write_what_can_be(); // what came before the end was seen
    }

    // Without memory for it the rest is written the next time.
    void write_what_can_be() noexcept {
        try {
            write_all();
        } catch (const std::bad_alloc&) {
            return;
        }
    }

    bool has_lines() {
        const std::lock_guard lock(mutex_);
        return !lines_.empty() ||
               std::any_of(queues_.begin(), queues_.end(), [](const auto& one) { return one->ring.size() != 0; });
    }

    void write_all() {
        {
            const std::lock_guard lock(mutex_);
            taken_.swap(lines_);
            open_now_ = queues_;
        }
        // Taken first, written last: a line comes after all that was queued before it; `stopped` ends the log.
        for (const auto& one : open_now_) write_ring(one->ring);
        write_lines(taken_);
        open_now_.clear();
        taken_.clear();
        forget_closed_queues();
        tell_of_drops();
    }

    void write_lines(std::string_view lines) {
        if (!lines.empty()) note_lost(lines.substr(output_.write(lines)));
    }

    // What is there now, so that a busy producer does not keep the others waiting. What fails is lost to its end: the
    // second part may begin within a line.
    void write_ring(log_ring& ring) {
        bool failed = false;
        for (auto left = ring.size(); left != 0;) {
            const auto part = ring.front(left);
            const auto written = failed ? 0 : output_.write(part);
            failed = written != part.size();
            note_lost(part.substr(written));
            ring.pop(part.size());
            left -= part.size();
        }
    }

    void note_lost(std::string_view unwritten) {
        shared_->dropped.fetch_add(static_cast<std::uint64_t>(std::count(unwritten.begin(), unwritten.end(), '\n')),
                                   std::memory_order_relaxed);
    }

    void forget_closed_queues() {
        const std::lock_guard lock(mutex_);
        std::erase_if(queues_, [](const auto& one) { return one.use_count() == 1 && one->ring.size() == 0; });
    }

    void tell_of_drops() {
        const auto now = dropped();
        if (now == dropped_told_ || !output_.works()) return;
        const auto line = make_line(log_level::warn, "log lines dropped",
                                    {{"lines", static_cast<std::int64_t>(now - dropped_told_)}});
        if (output_.write(line) == line.size()) dropped_told_ = now;
    }

    const std::shared_ptr<shared_with_queues> shared_;
    std::mutex mutex_;
    std::string lines_;
    std::vector<std::shared_ptr<ring_queue>> queues_;
    std::atomic<bool> stopping_{false};

    // The writer thread's own.
    log_output output_;
    std::string taken_;
    std::vector<std::shared_ptr<ring_queue>> open_now_;
    std::uint64_t dropped_told_ = 0;

    std::thread thread_;
};

log::log(int descriptor, log_level least) : least_(least), writer_(std::make_unique<writer>(descriptor)) {}
log::~log() = default;

void log::line(log_level level, std::string_view message, std::initializer_list<log_value> values) {
    if (level >= least()) writer_->add(make_line(level, message, values));
}

std::shared_ptr<log::queue> log::open_queue(std::size_t bytes) { return writer_->open_queue(bytes); }
std::uint64_t log::dropped() const noexcept { return writer_->dropped(); }

} // namespace sidecar
