#include "proxy/data_plane/worker_context.hpp"

#include "proxy/data_plane/exchange.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <random>

namespace sidecar {

namespace {
constexpr std::size_t states_kept_max = 256;

// xorshift64*: ids need to differ, not to be secret.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1DULL;
}
} // namespace

worker_context::worker_context(shared& of_all, unsigned index)
    : backend(loop, metrics),
      common(of_all),
      settings_(of_all.current_settings),
      readiness_(of_all.board.published()),
      random_(std::random_device{}() * 0x9E3779B97F4A7C15ULL + index + 1) {
    loop.on_deadline = [this] { backend.expire(); };
}

worker_context::~worker_context() = default;

const std::shared_ptr<const settings>& worker_context::current_settings() {
    const auto& newest = settings_.get();
    if (newest.get() != own_settings_.get())
        own_settings_ = std::shared_ptr<const settings>(newest.get(), [keep = newest](const settings*) {});
    return own_settings_;
}

std::string_view worker_context::http_date() {
    const auto second =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
    if (second != http_date_second_) {
        http_date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(second)));
        http_date_second_ = second;
    }
    return http_date_;
}

std::string_view worker_context::log_time() {
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    if (now != log_time_ms_) {
        log_time_ =
            fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(static_cast<std::time_t>(now / 1000)), now % 1000);
        log_time_ms_ = now;
    }
    return log_time_;
}

std::string worker_context::new_request_id() {
    uuid id{next_random(random_), next_random(random_)};
    id.high = (id.high & ~0xf000ULL) | 0x4000ULL;
    id.low = (id.low & ~(3ULL << 62)) | 2ULL << 62;
    return to_string(id);
}

std::unique_ptr<exchange_state> worker_context::take_state() {
    if (states_.empty()) return std::make_unique<exchange_state>(buffers, pipes);
    auto state = std::move(states_.back());
    states_.pop_back();
    return state;
}

void worker_context::give_back(std::unique_ptr<exchange_state> state) noexcept {
    if (!state || states_.size() >= states_kept_max) return;
    try {
        state->clear();
        states_.push_back(std::move(state));
    } catch (const std::bad_alloc&) {
        return; // then it is freed
    }
}

void worker_context::ended(session& one) { ended_sessions.push_back(&one); }

} // namespace sidecar
