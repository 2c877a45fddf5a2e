#include "proxy/control_plane/observer.hpp"

#include "proxy/control_plane/wording.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace sidecar {
namespace {

using namespace std::chrono_literals;

constexpr auto look_every = 1s;
constexpr auto just_now = 5s;
constexpr auto for_a_connect = 3s; // with none in that time, and failures, the backend can't be reached
constexpr std::uint64_t some_requests = 5;

std::vector<rule_sums> all_rules(const standing& now) {
    std::vector<rule_sums> all;
    const auto rules = std::min(now.current->values.rules.rules.size(), worker_metrics::rules_max);
    for (std::size_t i = 0; i < rules; ++i) all.push_back(now.rows->of(i, now.workers));
    all.push_back(now.rows->of(rule_rows::none, now.workers));
    return all;
}

bool any_gate_rejects_unknown(const std::vector<rule>& rules) {
    return std::any_of(rules.begin(), rules.end(), [](const rule& each) {
        const auto* gate = std::get_if<gate_rule>(&each.action);
        return gate != nullptr && gate->unknown == unknown_gate::reject;
    });
}

bool connects_fail(const tally& lately) {
    const auto given_up =
        lately.of(failure_reason::upstream_unreachable) + lately.of(failure_reason::upstream_connecting_failed_fast);
    if (2 * given_up > lately.requests()) return true;
    const bool any_succeeded = lately.connects != 0 || lately.upstream.count != 0;
    return !any_succeeded && (lately.connect_failures != 0 || given_up != 0);
}

} // namespace

std::uint64_t not_ready_count(const standing& now) {
    std::uint64_t most = 0, all = 0;
    for (const auto& each : now.poll.collections) {
        most = 0;
        for (const auto& [member, count] : each.not_ready) most = std::max<std::uint64_t>(most, count);
        all += most;
    }
    return all;
}

symptoms read_symptoms(const standing& now, const history& past) {
    const auto& values = now.current->values;
    symptoms seen;
    seen.not_ready = now.not_ready;
    seen.draining = now.draining;
    seen.up = now.now - now.started;

    seen.recent = past.last_requests(some_requests).came;
    const auto lately = past.last(for_a_connect).came;
    seen.connects_fail = connects_fail(lately);
    seen.pending_least = past.pending_least(just_now);
    seen.ended_well = past.last(10s).came.ended_well();
    // Nobody asks in a lull: that is no silence.
    if (seen.recent.awaited + seen.recent.in_vain() != 0)
        seen.silent_for = (seen.recent.awaited != 0 ? now.now : past.last_asked_at()) - past.last_response_at();
    seen.stuck_for = now.stuck_for;

    seen.backend = backend_words(now);
    seen.resolves = !now.current->upstream_addresses.empty();
    seen.connect_retry = values.upstream.connect_retry;
    seen.connections_max = now.current->connections_max * now.workers.size();
    seen.upstream_connections_max = now.current->upstream_connections_max * now.workers.size();

    seen.polled = now.known->document != nullptr;
    seen.fresh = now.known->fresh(now.now);
    if (seen.polled) seen.age = now.now - now.known->answered_at;
    seen.max_age = now.known->max_age;
    seen.poll_failed = now.poll.failed.has_value();
    seen.polls_failed = now.poll.failures;
    if (seen.poll_failed) seen.poll_failure = std::string(to_string(*now.poll.failed)) + ", " + now.poll.failure;
    if (!now.poll.backend_holds) seen.poll_took = now.poll.last_took;
    seen.unknown_rejects = any_gate_rejects_unknown(values.rules.rules);
    seen.reload_failure = now.reload_failure;
    return seen;
}

verdict judge(const standing& now) {
    return judge(read_symptoms(now, now.seen->past), now.seen->troubles.present(), now.now);
}

std::string backend_words(const standing& now) {
    const auto& address = now.current->values.upstream.address;
    if (!address.path.empty()) return "unix:" + address.path;
    auto text = address.host + ":" + std::to_string(address.port);
    if (now.current->upstream_addresses.empty()) return text;
    const auto first = to_string(now.current->upstream_addresses.front());
    return first == text ? text : text + " (" + first + ")";
}

observer::observer(boost::asio::io_context& io, log& log, std::function<standing()> look)
    : timer_(io),
      log_(log),
      look_(std::move(look)) {}

void observer::start() {
    look_now();
    wait();
}

void observer::look_now() { look_at(look_()); }

void observer::stop() { timer_.cancel(); }

void observer::wait() {
    timer_.expires_after(look_every);
    timer_.async_wait([this](const boost::system::error_code& ec) {
        if (ec) return;
        wait(); // first: a look for which there is no memory is not the last
        look_now();
    });
}

void observer::look_at(const standing& now) {
    seen_.past.add(take_tally(now.workers), all_rules(now), not_ready_count(now), now.now);
    tell(seen_.troubles.look(find_trouble(read_symptoms(now, seen_.past)), now.now), now);
}

void observer::note(event_kind kind, std::string text, std::string label) {
    seen_.past.note(kind, std::move(text), std::move(label), std::chrono::steady_clock::now());
}

void observer::tell(const trouble_watch::change& came, const standing& now) {
    for (const auto& each : came.began) {
        const bool bad = each.found.level == health::failing;
        log_.line(bad ? log_level::error : log_level::warn, "trouble",
                  {{"trouble", to_string(each.found.what)},
                   {"title", each.found.title},
                   {"effect", each.found.effect},
                   {"detail", each.found.detail}});
        auto text = each.found.title;
        if (!each.found.detail.empty()) text += ": " + each.found.detail;
        std::string label(to_string(each.found.what));
        std::replace(label.begin(), label.end(), '_', ' ');
        seen_.past.note(bad ? event_kind::bad : event_kind::warning, std::move(text), std::move(label), now.now);
    }
    for (const auto& each : came.ended) {
        const auto lasted = seconds_between(each.since, each.seen);
        log_.line(log_level::info, "trouble ended", {{"trouble", to_string(each.found.what)}, {"seconds", lasted}});
        seen_.past.note(event_kind::good, "over after " + span_words(std::max(1.0, lasted)) + ": " + each.found.title,
                        {}, now.now);
    }
}

} // namespace sidecar
