// Wakes one sleeping thread. Whoever has put something where the sleeper will look rings; that costs a system call only
// if the sleeper is, or is about to be, asleep.
#pragma once

#include <atomic>
#include <chrono>

namespace sidecar {

class doorbell {
public:
    doorbell(); // throws std::system_error without a descriptor
    ~doorbell();
    doorbell(const doorbell&) = delete;
    doorbell& operator=(const doorbell&) = delete;

    // Any thread. What it is about must have been stored with seq_cst (or under a lock that the sleeper takes).
    void ring_if_asleep() noexcept {
        if (asleep_.load(std::memory_order_seq_cst) && asleep_.exchange(false)) ring();
    }
    void ring() noexcept;

    // The sleeper: announces its sleep, looks once more (`anything` says whether there is something), then sleeps.
    template <class Anything>
    void sleep_unless(const Anything& anything) noexcept {
        asleep_.store(true, std::memory_order_seq_cst);
        if (!anything()) wait(-1, std::chrono::milliseconds(-1));
        asleep_.store(false, std::memory_order_seq_cst);
    }

    // Until rung, until the descriptor can be written to (or has failed), or until the time is over (negative: never).
    // True if the descriptor woke it.
    bool wait(int writable_descriptor, std::chrono::milliseconds most) noexcept;

private:
    const int descriptor_;
    std::atomic<bool> asleep_{false};
};

} // namespace sidecar
