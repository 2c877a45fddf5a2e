// What has been, in memory: fifteen minutes by five seconds for the plots, the last minute by the second for figures
// and judgement, and what happened. Filled by the control thread once a second; some 60 KiB. Pure but for its state.
#pragma once

#include "proxy/control_plane/health.hpp"
#include "proxy/control_plane/rule_sums.hpp"
#include "proxy/control_plane/tally.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace sidecar {

enum class event_kind : std::uint8_t { good, note, warning, bad };

struct event {
    std::chrono::system_clock::time_point at;
    time_point when; // the same, where the plots have it
    event_kind kind;
    std::string text;
    std::string label; // a word or two beside its mark in the plots; empty: none
};

class history {
public:
    static constexpr std::size_t bars_max = 180;
    static constexpr std::chrono::seconds bar_span{5};
    static constexpr std::size_t events_max = 50;

    // One column of the plots.
    struct bar {
        time_point end;
        float seconds = 0;
        std::uint32_t good = 0, client_errors = 0, sent_away = 0, failed = 0;
        float median = -1, slowest = -1; // of the duration, in seconds, slowest of a hundred; -1: no requests
        std::uint32_t not_ready = 0;
    };

    // What the workers have counted now, and how many resources are not ready.
    void add(const tally& now, std::vector<rule_sums> rules, std::uint64_t not_ready, time_point at);
    void note(event_kind, std::string text, std::string label, time_point at);

    // What came in the last so many seconds, or since the start, and how long that really was.
    struct window {
        tally came;
        double seconds = 0;
    };
    window last(std::chrono::seconds) const;
    // The shortest of some windows that saw at least so many requests; else a minute.
    window last_requests(std::uint64_t least) const;
    // Of one rule (the last: none), in the last minute.
    std::pair<rule_sums, double> rule_minute(std::size_t place) const;

    std::uint64_t pending_least(std::chrono::seconds) const; // of all looks
    // When the backend's last began, or nobody waited for one; or the start.
    time_point last_response_at() const noexcept { return last_response_at_; }
    time_point last_asked_at() const noexcept { return asked_at_; } // somebody waited for one, or gave it up

    const std::deque<bar>& bars() const noexcept { return bars_; }
    const std::deque<event>& events() const noexcept { return events_; } // the newest last

private:
    void note_silence(const tally& before, const tally& now, time_point at);
    void end_bar(const tally& now, std::uint64_t not_ready, time_point at);

    struct look {
        time_point at;
        tally seen;
    };
    struct rule_look {
        time_point at;
        std::vector<rule_sums> seen;
    };
    std::deque<look> looks_;           // of the last minute, each second
    std::deque<rule_look> rule_looks_; // likewise, each ten seconds, and the last
    look bar_begin_;
    bool begun_ = false;
    time_point last_response_at_{};
    bool in_vain_ = false;  // somebody has given up since then
    time_point asked_at_{}; // somebody waited, or gave up, last
    std::deque<bar> bars_;
    std::deque<event> events_;
};

} // namespace sidecar
