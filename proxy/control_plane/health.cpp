#include "proxy/control_plane/health.hpp"

#include "proxy/control_plane/wording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

namespace sidecar {
namespace {

using namespace std::chrono_literals;

// When it is worth a word. Shares are of requests, and of at least a few.
constexpr double failing_share = 0.5;
constexpr double degraded_share = 0.02;
constexpr std::uint64_t few = 2;
constexpr std::chrono::nanoseconds silent_after = 5s;
constexpr std::chrono::nanoseconds silent_alone_after = 10s; // a single request may just be a long one
constexpr std::uint64_t waits_alone = 2;
constexpr double slow_seconds = 1;
constexpr std::chrono::nanoseconds slow_poll = 2s;

double seconds(std::chrono::nanoseconds of) { return std::chrono::duration<double>(of).count(); }
std::string words(std::chrono::nanoseconds of) { return span_words(seconds(of)); }

std::string share_of(std::uint64_t part, std::uint64_t all) {
    return share_words(static_cast<double>(part), static_cast<double>(all));
}

std::string requests_fail(std::uint64_t failed, std::uint64_t all) {
    if (failed >= all) return "every request fails";
    return share_of(failed, all) + " of requests fail";
}

struct judged {
    bool counts;
    health level;
};
judged share_level(std::uint64_t part, std::uint64_t all) {
    const auto share = all == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
    return {part >= few && share >= degraded_share, share >= failing_share ? health::failing : health::degraded};
}

class examination {
public:
    explicit examination(const symptoms& seen) : seen_(seen) {}

    std::vector<finding> result() {
        worker();
        reaching();
        breaking_off();
        waiting();
        errors();
        limits();
        failures();
        slowness();
        readiness_state();
        polls();
        reload();
        return std::move(found_);
    }

private:
    void add(trouble what, part where, health level, std::string title, std::string effect, std::string detail = {}) {
        found_.push_back({what, where, level, std::move(title), std::move(effect), std::move(detail)});
    }

    void worker() {
        if (seen_.stuck_for.count() == 0) return;
        const bool hangs = seen_.stuck_for > worker_hangs_after;
        add(trouble::worker_stuck, part::sidecar, hangs ? health::failing : health::degraded, "a worker hangs",
            hangs ? "its connections get no answer; /livez fails, so that the container is started anew"
                  : fmt::format("its connections get no answer; /livez fails after {} s", worker_hangs_after.count()),
            "it has not turned for " + words(seen_.stuck_for));
    }

    // What requests see of a backend that can't be reached.
    std::string unreachable_effect() const {
        const auto failed = seen_.recent.failed();
        if (failed != 0) return requests_fail(failed, seen_.recent.requests());
        if (const auto waiting = seen_.recent.in_flight; waiting != 0)
            return fmt::format("{} {} for it, up to {}", waiting, waiting == 1 ? "request waits" : "requests wait",
                               words(seen_.connect_retry));
        return "requests would fail";
    }

    void reaching() {
        if (!seen_.resolves) {
            unreached_ = true;
            add(trouble::unresolved, part::backend, health::failing, "the backend's name does not resolve",
                unreachable_effect(), seen_.backend);
            return;
        }
        if (!seen_.connects_fail) return;
        unreached_ = true;
        const auto* why = seen_.recent.connect_errno == 0 ? nullptr : ::strerrordesc_np(seen_.recent.connect_errno);
        std::string detail = seen_.backend;
        if (why != nullptr) detail.append(": ").append(why);
        add(trouble::unreachable, part::backend, health::failing, "backend unreachable", unreachable_effect(),
            std::move(detail));
    }

    void breaking_off() {
        const auto& recent = seen_.recent;
        const auto closed = recent.of(failure_reason::no_response), cut = recent.of(failure_reason::truncated_response),
                   rubbish = recent.of(failure_reason::bad_response);
        const auto [counts, level] = share_level(closed + cut + rubbish, recent.requests());
        if (!counts) return;
        add(trouble::breaks_off, part::backend, level, "the backend breaks responses off",
            requests_fail(closed + cut + rubbish, recent.requests()),
            fmt::format("{}: closed without a response {}, within one {}, no valid HTTP {}", seen_.backend, closed, cut,
                        rubbish));
    }

    void waiting() {
        const auto& recent = seen_.recent;
        const auto in_vain = recent.in_vain() > waits_alone ? recent.in_vain() : 0; // else it may be their haste
        const auto waits = recent.awaited + in_vain;
        if (!unreached_ && waits > 0 && seen_.silent_for >= (waits > waits_alone ? silent_after : silent_alone_after))
            add(trouble::silent, part::backend, waits > waits_alone ? health::failing : health::degraded,
                "the backend does not respond",
                recent.awaited == 0 ? fmt::format("{} requests have waited in vain", waits)
                                    : fmt::format("{} {}", waits, waits == 1 ? "request waits" : "requests wait"),
                seen_.backend + ": no response has begun for " + words(seen_.silent_for));
        else if (!unreached_ && seen_.ended_well == 0 && recent.stalled >= few &&
                 2 * recent.stalled >= recent.in_flight)
            add(trouble::silent, part::backend, health::failing, "the backend does not go on",
                fmt::format("{} of {} requests under way stand still", recent.stalled, recent.in_flight),
                seen_.backend + ": no byte moves within a request's or a response's body");
        const auto late = recent.of(failure_reason::response_timeout) +
                          recent.of(failure_reason::response_body_timeout) +
                          recent.of(failure_reason::request_write_timeout);
        if (const auto [counts, level] = share_level(late, recent.requests()); counts)
            add(trouble::times_out, part::backend, level, "the backend takes too long",
                requests_fail(late, recent.requests()), seen_.backend);
    }

    void errors() {
        const auto& recent = seen_.recent;
        const auto [counts, level] = share_level(recent.backend_errors, recent.requests());
        if (!counts) return;
        add(trouble::backend_errors, part::backend, level, "the backend responds with errors",
            recent.backend_errors >= recent.requests()
                ? std::string("every request gets its 5xx")
                : share_of(recent.backend_errors, recent.requests()) + " of requests get its 5xx",
            seen_.backend);
    }

    void limits() {
        const auto& recent = seen_.recent;
        const auto refused = recent.of(failure_reason::pending_limit) + recent.of(failure_reason::queue_timeout);
        const auto connections = "upstream.max_connections " + count_words(seen_.upstream_connections_max);
        if (const auto [counts, level] = share_level(refused, recent.requests()); counts)
            add(trouble::queue_full, part::sidecar, level, "too many requests for the connections to the backend",
                share_of(refused, recent.requests()) + " of requests get 503",
                fmt::format("{} wait in line; {}", recent.pending, connections));
        else if (seen_.pending_least > 0)
            add(trouble::queueing, part::sidecar, health::degraded, "requests wait for a connection to the backend",
                fmt::format("{} in line", recent.pending), connections);
        const auto limited = recent.of(failure_reason::connections_limit);
        const auto turned_away = std::max(recent.connections_refused, limited);
        const bool all_taken = seen_.connections_max != 0 && recent.connections >= seen_.connections_max;
        if (turned_away >= few || all_taken)
            add(trouble::connections_full, part::clients, share_level(limited, recent.requests()).level,
                "client connections are at their limit",
                turned_away == 0 ? std::string("new ones get 503")
                                 : fmt::format("new ones get 503, {} just now", turned_away),
                "downstream.max_connections " + count_words(seen_.connections_max));
    }

    // Whatever it is: what fails is told of.
    void failures() {
        const auto explains = [](const finding& each) { return each.where != part::clients; };
        if (std::any_of(found_.begin(), found_.end(), explains)) return;
        const auto& recent = seen_.recent;
        const auto unreached = recent.of(failure_reason::upstream_unreachable) +
                               recent.of(failure_reason::upstream_connecting_failed_fast); // it was, and is told of
        const bool full = std::any_of(found_.begin(), found_.end(),
                                      [](const finding& each) { return each.what == trouble::connections_full; });
        const auto told_of = unreached + (full ? recent.of(failure_reason::connections_limit) : 0);
        const auto failed = recent.failed() - std::min(recent.failed(), told_of);
        const auto [counts, level] = share_level(failed, recent.requests());
        if (!counts) return;
        std::string reasons;
        for (std::size_t i = 1; i < recent.failures.size(); ++i)
            if (recent.failures[i] != 0)
                reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ",
                                       to_string(static_cast<failure_reason>(i)), recent.failures[i]);
        add(trouble::requests_fail, part::sidecar, level, "requests fail", requests_fail(failed, recent.requests()),
            std::move(reasons));
    }

    void slowness() {
        const auto half = quantile(seen_.recent.upstream, 0.5);
        if (!half || *half < slow_seconds || seen_.recent.upstream.count < few) return;
        add(trouble::slow, part::backend, health::degraded, "the backend is slow",
            "half of its responses take over " + quantile_words(seen_.recent.upstream, 0.5) + " to begin",
            seen_.backend);
    }

    void readiness_state() {
        if (seen_.fresh || (!seen_.polled && seen_.up < seen_.max_age)) return;
        add(trouble::stale, part::readiness, health::degraded, "readiness is unknown",
            seen_.unknown_rejects ? "info is left out, uploads are sent away"
                                  : "info is left out, uploads pass unchecked",
            seen_.polled
                ? fmt::format("the last good poll is {} old, beyond {}", words(seen_.age), words(seen_.max_age))
                : "no poll has succeeded yet");
    }

    void polls() {
        if (seen_.poll_failed && (seen_.polled || seen_.up >= seen_.max_age)) {
            add(trouble::polls_fail, part::readiness, health::degraded, "status polls fail",
                seen_.fresh ? fmt::format("readiness is {} old and counts until {}", age_words(seconds(seen_.age)),
                                          words(seen_.max_age))
                            : "readiness is unknown",
                fmt::format("{} in a row: {}", seen_.polls_failed, seen_.poll_failure));
        } else if (!seen_.poll_failed && seen_.poll_took >= slow_poll) {
            add(trouble::polls_slow, part::readiness, health::degraded, "status polls are slow",
                "readiness lags behind", "the last took " + words(seen_.poll_took));
        }
    }

    void reload() {
        if (seen_.reload_failure.empty()) return;
        add(trouble::bad_reload, part::configuration, health::degraded, "the changed configuration can't be used",
            "the one before it is in force", seen_.reload_failure);
    }

    const symptoms& seen_;
    bool unreached_ = false;
    std::vector<finding> found_; // in the order of `trouble`
};

std::string sentence(const trouble_watch::lasting& of, time_point now) {
    return fmt::format("{} for {}: {}", of.found.title, span_words(std::max(1.0, seconds_between(of.since, now))),
                       of.found.effect);
}

constexpr auto health_words = std::to_array<std::string_view>({"ok", "starting", "draining", "degraded", "failing"});
static_assert(health_words.size() == enum_size<health>);

constexpr auto trouble_words =
    std::to_array<std::string_view>({"worker_stuck", "unresolved", "unreachable", "breaks_off", "silent", "times_out",
                                     "backend_errors", "requests_fail", "queue_full", "connections_full", "queueing",
                                     "slow", "stale", "polls_fail", "polls_slow", "bad_reload"});
static_assert(trouble_words.size() == enum_size<trouble>);

} // namespace

std::string_view to_string(health of) noexcept { return health_words[static_cast<std::size_t>(of)]; }
std::string_view to_string(trouble of) noexcept { return trouble_words[static_cast<std::size_t>(of)]; }

std::vector<finding> find_trouble(const symptoms& seen) {
    auto found = examination(seen).result();
    std::stable_sort(found.begin(), found.end(), [](const finding& a, const finding& b) {
        return a.level != b.level ? a.level > b.level : a.what < b.what;
    });
    return found;
}

trouble_watch::change trouble_watch::look(std::vector<finding> found, time_point now) {
    change came;
    std::vector<lasting> next;
    for (auto& each : found) {
        const auto known = std::find_if(present_.begin(), present_.end(),
                                        [&each](const lasting& one) { return one.found.what == each.what; });
        const bool is_new = known == present_.end();
        const auto level = each.level;
        const auto worst = is_new ? level : std::max(level, known->worst);
        const bool got_worse = is_new || worst > known->worst;
        next.push_back({std::move(each), is_new ? now : known->since, now, worst});
        if (got_worse) came.began.push_back(next.back());
    }
    for (auto& each : present_) {
        const bool seen_again = std::any_of(next.begin(), next.end(),
                                            [&each](const lasting& one) { return one.found.what == each.found.what; });
        if (seen_again) continue;
        // What was told of in general, until it was known what it is, need not be told of twice.
        const bool known_better = each.found.what == trouble::requests_fail && !next.empty();
        if (now - each.seen < gone_after && !known_better)
            next.push_back(std::move(each));
        else
            came.ended.push_back(std::move(each));
    }
    std::stable_sort(next.begin(), next.end(), [](const lasting& a, const lasting& b) {
        return a.found.level != b.found.level ? a.found.level > b.found.level : a.found.what < b.found.what;
    });
    present_ = std::move(next);
    return came;
}

verdict judge(const symptoms& seen, const std::vector<trouble_watch::lasting>& present, time_point now) {
    verdict said;
    const auto tell = [&said, now](const trouble_watch::lasting& of) {
        said.more.push_back("also " + sentence(of, now));
    };
    if (seen.draining) {
        said.state = health::draining;
        said.sentence = fmt::format("ending as asked; {} in flight", seen.recent.in_flight);
        std::for_each(present.begin(), present.end(), tell);
        return said;
    }
    const bool failing = !present.empty() && present.front().found.level == health::failing;
    if (!failing && (!seen.not_ready.empty() || (!seen.polled && seen.up < seen.max_age))) {
        said.state = health::starting;
        said.sentence = seen.not_ready.empty() ? "serving; no status poll has succeeded yet" : seen.not_ready;
        if (!seen.poll_failure.empty() && seen.poll_failed) said.more.push_back("status poll: " + seen.poll_failure);
        std::for_each(present.begin(), present.end(), tell);
        return said;
    }
    if (present.empty()) {
        said.state = health::ok;
        const auto& recent = seen.recent;
        said.sentence = recent.requests() + recent.in_flight == 0 ? "no requests just now, "
                        : recent.begun == 0                       ? "no response of the backend just now, "
                                                                  : "the backend responds, ";
        said.sentence += "readiness is " + age_words(seconds(seen.age)) + " old";
        return said;
    }
    said.state = present.front().found.level;
    said.sentence = sentence(present.front(), now);
    if (!present.front().found.detail.empty()) said.more.push_back(present.front().found.detail);
    std::for_each(present.begin() + 1, present.end(), tell);
    return said;
}

} // namespace sidecar
