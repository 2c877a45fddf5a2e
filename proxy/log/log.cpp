// The log's writer: one thread that sleeps while there is nothing, gathers lines for a moment when there is something,
// and is the only one that ever waits for the descriptor.
#include "sidecar/log.hpp"

#include "proxy/json/json_text.hpp"
#include "proxy/log/doorbell.hpp"
#include "proxy/log/log_output.hpp"
#include "proxy/log/log_ring.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <mutex>
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

std::string_view word(log_level level) noexcept {
    switch (level) {
    case log_level::debug:
        return "debug";
    case log_level::info:
        return "info";
    case log_level::warn:
        return "warn";
    case log_level::error:
        return "error";
    }
    return "";
}

void append_digits(std::string& out, unsigned value, std::size_t width) {
    std::array<char, 10> digits{};
    const auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    const auto count = static_cast<std::size_t>(end - digits.data());
    out.append(width > count ? width - count : 0, '0').append(digits.data(), count);
}

// RFC 3339 in UTC, to the millisecond.
void append_time(std::string& out, std::chrono::system_clock::time_point now) {
    const auto day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(std::chrono::floor<milliseconds>(now - day));
    append_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    append_digits(out += '-', static_cast<unsigned>(date.month()), 2);
    append_digits(out += '-', static_cast<unsigned>(date.day()), 2);
    append_digits(out += 'T', static_cast<unsigned>(time.hours().count()), 2);
    append_digits(out += ':', static_cast<unsigned>(time.minutes().count()), 2);
    append_digits(out += ':', static_cast<unsigned>(time.seconds().count()), 2);
    append_digits(out += '.', static_cast<unsigned>(time.subseconds().count()), 3);
    out += 'Z';
}

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> digits{};
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_value(std::string& out, std::string_view text) { append_json_string(out, text); }
void append_value(std::string& out, bool value) { out += value ? "true" : "false"; }
void append_value(std::string& out, std::int64_t value) { append_number(out, value); }
void append_value(std::string& out, double value) { // JSON has no infinity and no NaN
    if (std::isfinite(value))
        append_number(out, value);
    else
        out += "null";
}

std::string make_line(log_level level, std::string_view message, std::initializer_list<log_value> values) {
    std::string line = "{\"time\":\"";
    append_time(line, std::chrono::system_clock::now());
    line.append("\",\"level\":\"").append(word(level)).append("\",\"msg\":");
    append_json_string(line, message);
    for (const auto& [name, value] : values) {
        append_json_string(line += ',', name);
        line += ':';
        std::visit([&line](auto one) { append_value(line, one); }, value);
    }
    return line += "}\n";
}

} // namespace

class log::writer {
public:
    writer(int descriptor, log_level least_level)
        : least(least_level),
          shared_(std::make_shared<shared_with_queues>()),
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

    std::atomic<log_level> least;

private:
    void run() {
        while (!stopping_.load(std::memory_order_seq_cst)) {
            shared_->bell.sleep_unless([this] { return stopping_.load(std::memory_order_seq_cst) || has_lines(); });
            if (!stopping_.load(std::memory_order_seq_cst)) shared_->bell.wait(-1, gather);
            write_all();
        }
        write_all(); // what came before the end was seen
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

log::log(int descriptor, log_level least) : writer_(std::make_unique<writer>(descriptor, least)) {}
log::~log() = default;

void log::line(log_level level, std::string_view message, std::initializer_list<log_value> values) {
    if (level >= least()) writer_->add(make_line(level, message, values));
}

std::shared_ptr<log::queue> log::open_queue(std::size_t bytes) { return writer_->open_queue(bytes); }
log_level log::least() const noexcept { return writer_->least.load(std::memory_order_relaxed); }
void log::set_least(log_level level) noexcept { writer_->least.store(level, std::memory_order_relaxed); }
std::uint64_t log::dropped() const noexcept { return writer_->dropped(); }

} // namespace sidecar
