#include "proxy/control_plane/admin_page.hpp"

#include "proxy/control_plane/glance.hpp"
#include "proxy/control_plane/plots.hpp"
#include "proxy/control_plane/readiness_view.hpp"
#include "proxy/control_plane/wording.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <utility>

namespace sidecar {
namespace {

// admin_page.html, made into a string literal by the build.
constexpr std::string_view page_template =
#include "admin_page.html.inc"
    ;

constexpr std::size_t resources_shown = 5, resources_behind_a_click = 45;
constexpr std::size_t events_shown = 8, errors_shown = 5;
constexpr double long_not_ready = 3600; // seconds

// The browser's language and zone do not matter to it: the script makes it local time where it runs.
std::string time_of_day(std::chrono::system_clock::time_point at) {
    const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
    const auto utc = fmt::gmtime(std::chrono::system_clock::to_time_t(seconds));
    return fmt::format("<time datetime=\"{:%Y-%m-%dT%H:%M:%SZ}\">{:%H:%M:%S}</time>", utc, utc);
}

std::string dot(std::string_view level) { return fmt::format(R"(<i class="dot {}"></i>)", level); }

// Behind a click, which the script finds again by the id.
std::string folded(std::string_view id, const std::string& summary, const std::string& content) {
    if (content.empty()) return {};
    return fmt::format(R"(<details id="{}"><summary>{}</summary>{}</details>)", id, summary, content);
}

std::string capitalised(std::string text) {
    if (!text.empty() && text[0] >= 'a' && text[0] <= 'z') text[0] = static_cast<char>(text[0] - 'a' + 'A');
    return text;
}

std::string banner(const glance& seen) {
    const auto& said = seen.said;
    const bool calm = said.state == health::ok || said.state == health::starting || said.state == health::draining;
    const auto state =
        said.state == health::ok ? std::string("Healthy") : capitalised(std::string(to_string(said.state)));
    std::string html = "<h1>" + escape_html(calm ? state : capitalised(said.sentence)) + "</h1><p>";
    if (calm) html += "<span>" + escape_html(said.sentence) + "</span>";
    for (const auto& each : said.more) html += "<span>" + escape_html(each) + "</span>";
    return html + "</p>";
}

// What stands between dots stays whole where there is room, and the dot ends a line rather than begin one.
std::string in_pieces(std::string_view line) {
    constexpr std::string_view dot = " · ";
    std::string html;
    for (;;) {
        const auto end = line.find(dot);
        html +=
            "<span class=\"piece\">" + escape_html(line.substr(0, end)) + (end == line.npos ? "</span>" : " ·</span> ");
        if (end == line.npos) return html;
        line.remove_prefix(end + dot.size());
    }
}

std::string lamp_box(const lamp& of) {
    return fmt::format(R"(<div class="lamp {}"><h2>{}{}</h2><b>{}</b> {}<small>{}</small></div>)", to_string(of.level),
                       dot(to_string(of.level)), escape_html(of.name), escape_html(of.figure), escape_html(of.unit),
                       in_pieces(of.line));
}

std::string path(const glance& seen) {
    const auto& known = seen.readiness;
    return "<div class=\"flow\">" + lamp_box(seen.clients) + "<i class=\"arrow\">→</i>" + lamp_box(seen.sidecar) +
           "<i class=\"arrow\">→</i>" + lamp_box(seen.backend) + "</div>" +
           fmt::format(R"(<p class="lamp-line {}">{}<b>{}</b> {}{}{} · {}</p>)", to_string(known.level),
                       dot(to_string(known.level)), known.name, escape_html(known.figure),
                       known.unit.empty() ? "" : ", ", escape_html(known.unit), in_pieces(known.line));
}

// is_upload_ready -> upload
std::string_view short_member(std::string_view member) {
    if (member.starts_with("is_")) member.remove_prefix(3);
    if (member.ends_with("_ready")) member.remove_suffix(6);
    return member;
}

std::string states(const resource_view& seen) {
    std::string html;
    for (const auto& [member, value] : seen.members) {
        const char* sign = value == state::ready ? "✓" : value == state::not_ready ? "✕" : "?";
        std::string said(to_string(value));
        std::replace(said.begin(), said.end(), '_', ' ');
        html += fmt::format(R"(<span class="{}" title="{}: {}">{} {}</span> )", to_string(value), escape_html(member),
                            said, sign, escape_html(short_member(member)));
    }
    return html;
}

const char* source_of(const resource_view& seen) {
    return seen.learned ? "a response" : seen.listed ? "document" : "not listed";
}

std::string resource_row(const resource_view& seen) {
    const auto since = seen.not_ready_seconds ? span_words(*seen.not_ready_seconds) : std::string("-");
    return fmt::format(
        R"(<tr{}><td class="for">{}</td><td>{}</td><td class="id">{}</td><td class="states">{}</td><td class="from">{}</td></tr>)",
        seen.not_ready_seconds.value_or(0) > long_not_ready ? " class=\"old\"" : "", since,
        escape_html(singular(seen.collection)), to_string(seen.id), states(seen), source_of(seen));
}

template <class Each>
std::string resource_table_of(Each begin, Each end) {
    std::string html =
        "<div class=\"scroll\"><table class=\"resources\"><thead><tr><th class=\"for\">for</th><th>kind</th>"
        "<th>id</th><th>state</th><th class=\"from\">known from</th></tr></thead><tbody>";
    for (; begin != end; ++begin) html += resource_row(*begin);
    return html + "</tbody></table></div>";
}

std::string not_ready_title(const standing& now) {
    std::string counts;
    for (const auto& each : now.poll.collections) {
        std::size_t most = 0;
        for (const auto& [member, count] : each.not_ready) most = std::max(most, count);
        if (most == 0) continue;
        counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", count_words(most),
                              escape_html(most == 1 ? singular(each.name) : each.name));
    }
    return counts;
}

std::string not_ready_list(const standing& now) {
    if (!now.known->fresh(now.now)) return "<p class=\"quiet\">Readiness is unknown.</p>";
    const auto all = not_ready_resources(now, resources_shown + resources_behind_a_click);
    if (all.empty()) return "<p class=\"quiet\">Nothing: all that is listed is ready.</p>";
    const auto shown = all.begin() + static_cast<std::ptrdiff_t>(std::min(resources_shown, all.size()));
    auto html = resource_table_of(all.begin(), shown);
    if (shown == all.end()) return html;
    const auto total = std::max<std::uint64_t>(not_ready_count(now), all.size());
    return html + folded("more-not-ready",
                         fmt::format("{} more, not ready for {} or less", count_words(total - resources_shown),
                                     span_words(shown->not_ready_seconds.value_or(0))),
                         resource_table_of(shown, all.end()));
}

// not ready for 3 min; ready; unknown
std::string state_words(const resource_view& seen) {
    const auto any = [&seen](state wanted) {
        return std::any_of(seen.members.begin(), seen.members.end(),
                           [wanted](const auto& member) { return member.second == wanted; });
    };
    if (any(state::not_ready))
        return "not ready" +
               (seen.not_ready_seconds ? " for " + span_words(std::max(1.0, *seen.not_ready_seconds)) : std::string());
    return any(state::unknown) ? "unknown" : "ready";
}

std::string search_result(const standing& now, std::string_view id) {
    if (id.empty()) return {};
    const auto wanted = parse_uuid(id);
    if (!wanted)
        return "<div class=\"found\"><p>‘" + escape_html(id) + "’ is no id: 36 characters, 8-4-4-4-12</p></div>";
    auto html =
        "<div class=\"found\"><p>What requests are told of <span class=\"id\">" + to_string(*wanted) + "</span></p>";
    for (const auto& each : look_up_everywhere(now, *wanted)) {
        const auto words = state_words(each);
        html += fmt::format(R"(<p>{}as a {} <b>{}</b> <span class="quiet">{}· {}</span></p>)",
                            dot(words == "ready"     ? "ok"
                                : words == "unknown" ? "lost"
                                                     : "degraded"),
                            escape_html(singular(each.collection)), words, states(each), source_of(each));
    }
    return html + "</div>";
}

std::string event_list(const history& of) {
    constexpr std::array levels{"ok", "note", "degraded", "failing"};
    std::string shown, folded_up;
    std::size_t n = 0;
    for (auto each = of.events().rbegin(); each != of.events().rend(); ++each, ++n)
        (n < events_shown ? shown : folded_up) +=
            fmt::format("<li>{} {}{}</li>", time_of_day(each->at), dot(levels[static_cast<std::size_t>(each->kind)]),
                        escape_html(each->text));
    if (!folded_up.empty()) folded_up = "<ul>" + folded_up + "</ul>";
    return "<ul>" + shown + "</ul>" +
           folded("more-events", fmt::format("{} more", n - std::min(n, events_shown)), folded_up);
}

std::string error_list(const worker_list& workers) {
    std::vector<last_failures::entry> all;
    for (const auto* each : workers) {
        auto some = each->failed_last.all();
        std::move(some.begin(), some.end(), std::back_inserter(all));
    }
    if (all.empty()) return "<p class=\"quiet\">none</p>";
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.at > b.at; });
    if (all.size() > last_failures::kept) all.resize(last_failures::kept);
    std::string shown, folded_up;
    std::size_t n = 0;
    for (const auto& each : all) {
        std::string why(to_string(each.why));
        std::replace(why.begin(), why.end(), '_', ' ');
        (n++ < errors_shown ? shown : folded_up) += fmt::format(
            "<li>{} <b>{}</b> {} <span class=\"quiet\">{} · {}</span></li>", time_of_day(each.at),
            each.code == 0 ? "closed" : std::to_string(each.code), escape_html(each.method + " " + each.target), why,
            span_words(std::chrono::duration<double>(each.took).count()));
    }
    const auto list = [](const std::string& items) {
        return items.empty() ? std::string() : "<ul class=\"errors\">" + items + "</ul>";
    };
    return list(shown) + folded("more-errors", fmt::format("{} more", n - std::min(n, errors_shown)), list(folded_up));
}

constexpr auto reply_kind = static_cast<std::size_t>(action_kind::reply);
constexpr auto error_kind = static_cast<std::size_t>(action_kind::error);

std::string does(const rule_sums& of, const rule* by) {
    if (by == nullptr) return "forward";
    if (std::holds_alternative<augment_rule>(by->action)) return "augment";
    if (std::holds_alternative<learn_rule>(by->action)) return "learn";
    return "gate · " +
           share_words(static_cast<double>(of.requests[reply_kind][4]), static_cast<double>(of.with_code(0, 5))) +
           " sent away";
}

std::string rule_row(const std::string& name, const rule* by, const rule_sums& came, double seconds) {
    const auto all = came.with_code(0, 5);
    const auto failed = came.with_code(5, 5) + came.requests[error_kind][0];
    return fmt::format(
        R"(<tr><td>{}</td><td class="quiet">{}</td><td>{}</td><td{}>{}</td><td>{}</td><td>{}</td></tr>)",
        escape_html(name), does(came, by), seconds > 0 ? rate_words(static_cast<double>(all) / seconds) + "/s" : "-",
        failed == 0 ? "" : " class=\"bad\"", share_words(static_cast<double>(failed), static_cast<double>(all)),
        quantile_words(came.duration, 0.5), quantile_words(came.duration, 0.99));
}

std::string rules(const standing& now) {
    std::string shown, idle;
    std::size_t idle_rules = 0;
    const auto add = [&](std::size_t place, const std::string& name, const rule* by) {
        const auto [came, seconds] = now.seen->past.rule_minute(place);
        const bool any = came.with_code(0, 5) != 0;
        (any ? shown : idle) += rule_row(name, by, came, seconds);
        if (!any) ++idle_rules;
    };
    const auto& configured = now.current->values.rules.rules;
    const auto count = std::min(configured.size(), worker_metrics::rules_max);
    for (std::size_t i = 0; i < count; ++i) add(i, configured[i].name, &configured[i]);
    add(count, "no rule", nullptr);
    const auto table = [](const std::string& rows) {
        if (rows.empty()) return std::string();
        return "<div class=\"scroll\"><table "
               "class=\"figures\"><thead><tr><th>rule</th><th>does</th><th>rate</th><th>failed</th>"
               "<th>p50</th><th>p99</th></tr></thead><tbody>" +
               rows + "</tbody></table></div>";
    };
    return (shown.empty() ? "<p class=\"quiet\">no requests</p>" : table(shown)) +
           folded("idle-rules", fmt::format("{} without requests", idle_rules), table(idle));
}

std::string counters(const standing& now) {
    std::string some, none;
    for (const auto& row : worker_table()) {
        if (row.counters == nullptr || row.help.starts_with("Deprecated")) continue;
        for (std::size_t i = 0; i < row.counters(*now.workers.front()).size(); ++i) {
            const auto total = sum(
                now.workers, [&](auto& w) -> auto& { return row.counters(w)[i]; });
            if (total == 0 && !row.always_there(i)) continue;
            std::string labels;
            for (const auto& value : row.values(i))
                if (!value.empty()) labels.append(labels.empty() ? "" : ", ").append(value);
            (total == 0 ? none : some) += fmt::format(
                R"(<tr title="{}"><td>{}</td><td>{}</td><td>{}</td></tr>)", escape_html(row.help), row.name, labels,
                row.name.find("_bytes_") != std::string_view::npos ? size_words(total) : count_words(total));
        }
    }
    const auto table = [](const std::string& rows) {
        return rows.empty() ? std::string()
                            : "<div class=\"scroll\"><table class=\"counters\">" + rows + "</table></div>";
    };
    return table(some) + folded("zero-counters", "those that are nought", table(none));
}

std::string program(const standing& now) {
    return fmt::format("{} workers · {} resident · {} of CPU · {} of {} descriptors · {} log lines dropped",
                       now.workers.size(), size_words(now.process.resident_bytes), span_words(now.process.cpu_seconds),
                       count_words(now.process.open_descriptors), count_words(now.process.descriptors_max),
                       count_words(now.log_lines_dropped));
}

std::uint64_t limits_hit(const worker_list& workers) {
    std::uint64_t total = 0;
    for (const auto* each : workers)
        for (const auto& one : each->limits_hit.all()) total += one.get();
    return total;
}

// {{key}} becomes the key's value, which is not looked at again.
std::string fill(std::string_view text, const std::map<std::string, std::string, std::less<>>& values) {
    std::string filled;
    filled.reserve(text.size() * 2);
    for (;;) {
        const auto opening = text.find("{{");
        const auto closing = opening == std::string_view::npos ? opening : text.find("}}", opening);
        filled += text.substr(0, opening);
        if (closing == std::string_view::npos) return filled;
        if (const auto found = values.find(text.substr(opening + 2, closing - opening - 2)); found != values.end())
            filled += found->second;
        text.remove_prefix(closing + 2);
    }
}

} // namespace

std::string escape_html(std::string_view text) {
    std::string escaped;
    for (const char c : text) {
        switch (c) {
        case '&':
            escaped += "&amp;";
            break;
        case '<':
            escaped += "&lt;";
            break;
        case '>':
            escaped += "&gt;";
            break;
        case '"':
            escaped += "&quot;";
            break;
        case '\'':
            escaped += "&#39;";
            break;
        default:
            escaped += c;
        }
    }
    return escaped;
}

std::string admin_page(const standing& now, std::string_view id, std::string_view nonce) {
    const auto seen = look_at_a_glance(now);
    const auto& past = now.seen->past;
    return fill(page_template,
                {{"nonce", std::string(nonce)},
                 {"state", std::string(to_string(seen.said.state))},
                 {"title", std::string(to_string(seen.said.state)) + ": sidecar " + escape_html(now.pod)},
                 {"banner", banner(seen)},
                 {"identity", escape_html(seen.identity)},
                 {"path", path(seen)},
                 {"rate", rate_plot(past, now.now)},
                 {"latency", latency_plot(past, now.now)},
                 {"not-ready-count", not_ready_title(now)},
                 {"not-ready-plot", not_ready_plot(past, now.now)},
                 {"not-ready", not_ready_list(now)},
                 {"id", escape_html(id)},
                 {"found", search_result(now, id)},
                 {"events", event_list(past)},
                 {"errors", error_list(now.workers)},
                 {"rules", rules(now)},
                 {"limits-hit", count_words(limits_hit(now.workers))},
                 {"counters", counters(now)},
                 {"program", program(now)}});
}

} // namespace sidecar
