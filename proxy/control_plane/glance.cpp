#include "proxy/control_plane/glance.hpp"

#include "proxy/control_plane/observer.hpp"
#include "proxy/control_plane/wording.hpp"

#include "sidecar/version.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sidecar {
namespace {

using namespace std::chrono_literals;

constexpr double stuck_seconds = 3600; // a project that is not ready for so long is worth a look

health level_of(part where, const standing& now) {
    health worst = health::ok;
    for (const auto& each : now.seen->troubles.present())
        if (each.found.where == where) worst = std::max(worst, each.found.level);
    return worst;
}

const trouble_watch::lasting* worst_of(part where, const standing& now) {
    for (const auto& each : now.seen->troubles.present())
        if (each.found.where == where) return &each;
    return nullptr;
}

std::string connections(std::uint64_t n) { return count_words(n) + (n == 1 ? " connection" : " connections"); }

lamp clients_lamp(const standing& now, const history::window& minute) {
    lamp of{"Clients", level_of(part::clients, now), {}, "requests/s", {}};
    of.figure = minute.seconds > 0 ? rate_words(static_cast<double>(minute.came.requests()) / minute.seconds) : "-";
    const auto most = now.current->connections_max * now.workers.size();
    of.line = fmt::format("{} in flight · {} of {}", count_words(minute.came.in_flight),
                          connections(minute.came.connections), count_words(most));
    return of;
}

lamp sidecar_lamp(const standing& now, const history::window& minute) {
    const auto failed = minute.came.failed(), all = minute.came.requests();
    lamp of{"Sidecar", level_of(part::sidecar, now), {}, "failed, last minute", {}};
    of.figure = share_words(static_cast<double>(failed), static_cast<double>(all));
    // Clients see what fails here, whoever's fault it is: but only as long as it goes on.
    for (const auto& each : now.seen->troubles.present())
        if (each.found.level == health::failing) of.level = health::failing;
    if (of.level == health::ok && level_of(part::configuration, now) != health::ok) of.level = health::degraded;
    of.line =
        "p50 " + quantile_words(minute.came.durations, 0.5) + " · p99 " + quantile_words(minute.came.durations, 0.99);
    if (minute.came.overhead.count != 0) of.line += " · own part " + quantile_words(minute.came.overhead, 0.5);
    const auto pending = minute.came.pending;
    of.line += pending == 0 ? std::string(" · none waits") : fmt::format(" · {} wait in line", count_words(pending));
    return of;
}

std::string short_trouble(trouble what) {
    switch (what) {
    case trouble::unresolved:
        return "unknown";
    case trouble::unreachable:
        return "unreachable";
    case trouble::breaks_off:
        return "breaks off";
    case trouble::silent:
        return "silent";
    case trouble::times_out:
        return "too slow";
    case trouble::backend_errors:
        return "errors";
    default:
        return {};
    }
}

lamp backend_lamp(const standing& now, const history::window& minute) {
    lamp of{"Backend " + backend_words(now), level_of(part::backend, now), {}, "first byte, p50", {}};
    of.figure = quantile_words(minute.came.upstream, 0.5);
    if (const auto* worst = worst_of(part::backend, now))
        if (const auto words = short_trouble(worst->found.what); !words.empty()) {
            of.figure = words;
            of.unit = "for " + span_words(std::max(1.0, seconds_between(worst->since, now.now)));
        }
    of.line = fmt::format("{}, {} idle", connections(minute.came.upstream_connections),
                          count_words(minute.came.upstream_idle));
    if (const auto sent = minute.came.connects + minute.came.reuses; sent != 0)
        of.line += " · " + share_words(static_cast<double>(minute.came.reuses), static_cast<double>(sent)) + " reused";
    if (const auto n = minute.came.connect_failures; n != 0)
        of.line += " · " + count_words(n) + (n == 1 ? " connect failed" : " connects failed");
    const auto silence = seconds_between(now.seen->past.last_response_at(), now.now);
    if (of.level == health::failing && silence > 2) of.line += " · last response " + span_words(silence) + " ago";
    return of;
}

lamp readiness_lamp(const standing& now, const history::window& minute) {
    const auto& known = *now.known;
    lamp of{"Readiness", level_of(part::readiness, now), {}, {}, {}};
    of.figure =
        !known.document ? "no poll has succeeded yet" : age_words(seconds_between(known.answered_at, now.now)) + " old";
    if (!known.fresh(now.now))
        of.unit = "unknown";
    else if (of.level != health::ok)
        of.unit = "counts until " + span_words(std::chrono::duration<double>(known.max_age).count());
    else if (now.poll.backend_holds)
        of.unit = "the backend holds polls";
    if (now.poll.failed)
        of.line = fmt::format("polls fail: {}, {} in a row · ", to_string(*now.poll.failed), now.poll.failures);
    std::string listed;
    for (const auto& each : now.poll.collections) {
        std::uint64_t not_ready = 0;
        for (const auto& [member, count] : each.not_ready) not_ready = std::max<std::uint64_t>(not_ready, count);
        if (each.listed == 0) continue;
        listed += fmt::format("{}{} of {} listed {}", listed.empty() ? "" : ", ", count_words(not_ready),
                              count_words(each.listed), each.name);
    }
    of.line += listed.empty() ? std::string("nothing is listed as not ready") : listed + " not ready";
    if (const auto since = known.oldest_not_ready_since(now.now)) {
        const auto oldest = seconds_between(*since, now.now);
        of.line += ", oldest " + span_words(oldest);
        if (oldest > stuck_seconds && of.level == health::ok) of.level = health::degraded;
    }
    if (minute.seconds > 0)
        of.line += fmt::format(" · gate sent away {}/s",
                               rate_words(static_cast<double>(minute.came.sent_away) / minute.seconds));
    return of;
}

std::string identity(const standing& now) {
    std::string words = now.pod;
    if (!now.pod_namespace.empty()) words += (words.empty() ? "" : " · ") + now.pod_namespace;
    if (!words.empty()) words += " · ";
    return words + std::string(version()) + " (" + std::string(revision()) + ") · up " +
           span_words(seconds_between(now.started, now.now));
}

void append(std::string& text, const lamp& of, std::string_view name, std::string_view before_unit = " ") {
    text += fmt::format("{:<10} {:<9} {}", name, to_string(of.level), of.figure);
    if (!of.unit.empty()) text.append(before_unit).append(of.unit);
    if (!of.line.empty()) text.append(" · ").append(of.line);
    text += '\n';
}

} // namespace

glance look_at_a_glance(const standing& now) {
    const auto minute = now.seen->past.last(60s);
    return {judge(now),
            clients_lamp(now, minute),
            sidecar_lamp(now, minute),
            backend_lamp(now, minute),
            readiness_lamp(now, minute),
            identity(now)};
}

std::string status_text(const standing& now) {
    const auto seen = look_at_a_glance(now);
    std::string text = fmt::format("{}: {}\n", to_string(seen.said.state), seen.said.sentence);
    for (const auto& each : seen.said.more) text += "  " + each + "\n";
    append(text, seen.clients, "clients");
    append(text, seen.sidecar, "sidecar");
    append(text, seen.backend, "backend");
    append(text, seen.readiness, "readiness", ", ");
    text += fmt::format("{:<10} {} · {}\n", "this", backend_words(now), seen.identity);
    return text;
}

} // namespace sidecar
