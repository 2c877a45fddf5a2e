#include "proxy/data_plane/worker_state.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <malloc.h>

#include <chrono>
#include <ctime>
#include <random>

namespace sidecar {

namespace {

// xorshift64*: ids need to differ, not to be secret.
std::uint64_t next_random(std::uint64_t& state) noexcept {
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545F4914F6CDD1DULL;
}

template <class Unit>
std::int64_t unix_time() noexcept {
    return std::chrono::duration_cast<Unit>(std::chrono::system_clock::now().time_since_epoch()).count();
}

} // namespace

worker_state::worker_state(shared& of_all, unsigned index)
    : lines(of_all.log, index),
      common(of_all),
      settings_(of_all.current_settings),
      readiness_(of_all.board.published()),
      random_(std::random_device{}() * 0x9E3779B97F4A7C15ULL + index + 1) {}

const std::shared_ptr<const settings>& worker_state::current_settings() {
    const auto& newest = settings_.get();
    if (newest.get() != own_settings_.get())
        own_settings_ = std::shared_ptr<const settings>(newest.get(), [keep = newest](const settings*) {});
    return own_settings_;
}

worker_state::present worker_state::current() {
    static const readiness nothing;
    const auto& config = current_settings();
    const auto& known = *readiness_.get();
    return {config, known.schema_fingerprint == config->schema_fingerprint ? known : nothing};
}

std::string_view worker_state::http_date() {
    const auto second = unix_time<std::chrono::seconds>();
    if (second != http_date_second_) {
        http_date_ = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", fmt::gmtime(static_cast<std::time_t>(second)));
        http_date_second_ = second;
    }
    return http_date_;
}

void worker_state::give_memory_back() noexcept {
    constexpr std::size_t much = 8 * mib;
    if (held_bytes_peak < much || held_bytes > held_bytes_peak / 2) return;
    held_bytes_peak = held_bytes;
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
}

std::string worker_state::new_request_id() {
    uuid id{next_random(random_), next_random(random_)};
    id.high = (id.high & ~0xf000ULL) | 0x4000ULL;
    id.low = (id.low & ~(3ULL << 62)) | 2ULL << 62;
    return to_string(id);
}

} // namespace sidecar
