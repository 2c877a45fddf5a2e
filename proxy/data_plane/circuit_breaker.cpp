#include "proxy/data_plane/circuit_breaker.hpp"

#include <algorithm>

namespace sidecar {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {

// A host that is there answers within a moment.
constexpr milliseconds probe_wait_max{100};

// For how long a failed try says something.
milliseconds memory_of(milliseconds retry) noexcept { return std::max<milliseconds>(retry, 1s); }

} // namespace

// In the list for as long as it waits, also when its coroutine is destroyed.
struct circuit_breaker::place {
    place(circuit_breaker& in, waiter& of) : breaker(in), self(of) { breaker.waiting_.push_back(&self); }
    ~place() { std::erase(breaker.waiting_, &self); }
    place(const place&) = delete;
    place& operator=(const place&) = delete;

    circuit_breaker& breaker;
    waiter& self;
};

bool circuit_breaker::is_open(milliseconds retry) const noexcept {
    const auto now = timers_.now();
    return away_since_ && now - *away_since_ > retry && tried_at_ - *away_since_ >= retry - pause_max &&
           (probing_ || now - tried_at_ <= memory_of(retry));
}

void circuit_breaker::succeeded() noexcept {
    away_since_.reset();
    stood_at_ = timers_.now();
}

void circuit_breaker::failed(time_point began, milliseconds retry) noexcept {
    const auto now = timers_.now();
    if (!away_since_ || now - tried_at_ > memory_of(retry)) away_since_ = std::max(began, stood_at_);
    tried_at_ = now;
}

void circuit_breaker::reset() noexcept {
    ++era_;
    away_since_.reset();
    end_probe();
}

void circuit_breaker::end_probe() noexcept {
    probing_ = false;
    for (auto* each : waiting_) each->resume_later(wake::ready);
}

task<bool> circuit_breaker::wait_for_probe(waiter& self, milliseconds retry) {
    const auto era = era_;
    const auto give_up_at = timers_.now() + probe_wait_max;
    while (era == era_ && probing_ && is_open(retry)) {
        const auto failed_before = probes_failed_;
        const place here(*this, self);
        const auto woken = co_await self.until(give_up_at);
        if (woken == wake::cancelled) break;
        if (woken == wake::deadline || (era == era_ && probes_failed_ != failed_before)) co_return false;
    }
    co_return true;
}

circuit_breaker::trying::trying(circuit_breaker& of, bool as_probe) noexcept
    : breaker_(of),
      is_probe_(as_probe),
      era_(of.era_) {
    if (is_probe_) breaker_.probing_ = true;
}

circuit_breaker::trying::~trying() {
    if (counts()) breaker_.end_probe();
}

void circuit_breaker::trying::failed() noexcept {
    if (counts()) ++breaker_.probes_failed_;
}

} // namespace sidecar
