#include "proxy/control_plane/plots.hpp"

#include "proxy/control_plane/admin_page.hpp"
#include "proxy/control_plane/wording.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <iterator>
#include <vector>

namespace sidecar {
namespace {

// The plane that the shapes lie in; the page stretches it. Text stands around it, so that it is not stretched.
constexpr double width = 900; // seconds
constexpr double height = 100;

double x_of(time_point at, time_point now) { return width - seconds_between(at, now); }
// Where a bar stands: its middle.
double x_of(const history::bar& of, time_point now) { return x_of(of.end, now) - static_cast<double>(of.seconds) / 2; }

void add_point(std::string& points, double x, double y) {
    fmt::format_to(std::back_inserter(points), "{}{:.0f},{:.1f}", points.empty() ? "" : " ", x, y);
}

std::string marks(const history& of, time_point now) {
    constexpr std::array classes{"good", "note", "warning", "bad"};
    std::string drawn;
    for (const auto& each : of.events()) {
        if (each.kind == event_kind::good) continue; // an end is seen in the curve
        if (const auto x = x_of(each.when, now); x >= 0)
            drawn +=
                fmt::format(R"(<line class="mark {}" x1="{:.0f}" x2="{:.0f}" y1="0" y2="100"><title>{}</title></line>)",
                            classes[static_cast<std::size_t>(each.kind)], x, x, escape_html(each.text));
    }
    return drawn;
}

// What the marks are called, as far as there is room: the latest first, behind its mark or before it. In per cent of
// the width, so that text is not stretched with the shapes.
std::string labels(const history& of, time_point now) {
    constexpr double of_a_letter = 1.5, gap = 1;
    double free_until = 100;
    std::string drawn;
    for (auto each = of.events().rbegin(); each != of.events().rend(); ++each) {
        const auto x = x_of(each->when, now) / width * 100;
        if (each->label.empty() || x < 0) continue;
        const auto wide = of_a_letter * static_cast<double>(each->label.size()) + gap;
        const bool behind = x + wide <= free_until;
        if (!behind && (x > free_until || x < wide)) continue;
        free_until = behind ? x : x - wide;
        drawn += fmt::format(R"(<text x="{:.1f}%" dx="{}" y="10"{}>{}</text>)", x, behind ? 4 : -4,
                             behind ? "" : R"( text-anchor="end")", escape_html(each->label));
    }
    return drawn.empty() ? drawn : "<svg class=\"labels\" aria-hidden=\"true\">" + drawn + "</svg>";
}

std::string grid(std::size_t lines) {
    std::string drawn;
    for (std::size_t i = 0; i < lines; ++i) {
        const auto y = height * static_cast<double>(i) / static_cast<double>(lines - 1);
        drawn += fmt::format(R"(<line class="grid-line" x1="0" x2="900" y1="{:.1f}" y2="{:.1f}"/>)", y, y);
    }
    return drawn;
}

// `scale`: words at equal distances, from the top.
std::string framed(const std::vector<std::string>& scale, const std::string& shapes, std::string_view label,
                   const std::string& names_of_marks = {}) {
    std::string y;
    for (const auto& each : scale) y += "<span>" + escape_html(each) + "</span>";
    return fmt::format(
        R"(<div class="plot"><div class="y">{}</div><div class="plane"><svg viewBox="0 0 900 100" preserveAspectRatio="none" role="img" aria-label="{}">{}{}</svg>{}</div><div class="x"><span>15 min ago</span><span>10</span><span>5</span><span>now</span></div></div>)",
        y, label, grid(scale.size()), shapes, names_of_marks);
}

// 1, 2 or 5 times a power of ten.
double rounded_up(double value) {
    const auto power = std::pow(10, std::floor(std::log10(std::max(value, 1e-3))));
    for (const double step : {1.0, 2.0, 5.0})
        if (value <= step * power) return step * power;
    return 10 * power;
}

// Of such a number: whole ones without a fraction.
std::string scale_words(double value) {
    return value < 1 || std::round(value) != value ? rate_words(value) : count_words(static_cast<std::uint64_t>(value));
}

using layer = std::array<double, 4>; // per second

layer layers_of(const history::bar& of) {
    const double seconds = std::max(static_cast<double>(of.seconds), 0.1);
    return {of.good / seconds, of.client_errors / seconds, of.sent_away / seconds, of.failed / seconds};
}

std::string area(const history& of, time_point now, std::size_t which, double top, std::string_view name) {
    std::string upper, lower;
    bool any = false;
    for (const auto& bar : of.bars()) {
        const auto parts = layers_of(bar);
        double below = 0;
        for (std::size_t i = 0; i < which; ++i) below += parts[i];
        any = any || parts[which] > 0;
        add_point(upper, x_of(bar, now), height - height * (below + parts[which]) / top);
        std::string point;
        add_point(point, x_of(bar, now), height - height * below / top);
        lower.insert(0, " " + point); // back along the lower edge
    }
    return any ? fmt::format(R"(<polygon class="{}" points="{}{}"/>)", name, upper, lower) : std::string();
}

constexpr double least_latency = 1e-4;

// One line for each stretch without a gap.
std::string latency_line(const history& of, time_point now, float history::bar::*which, double decades,
                         std::string_view name) {
    std::string drawn, points;
    const auto end_line = [&] {
        if (!points.empty()) drawn += fmt::format(R"(<polyline class="{}" points="{}"/>)", name, points);
        points.clear();
    };
    for (const auto& bar : of.bars()) {
        const double value = bar.*which;
        if (value < 0) {
            end_line();
            continue;
        }
        const auto up = std::clamp(std::log10(std::max(value, least_latency) / least_latency) / decades, 0.0, 1.0);
        add_point(points, x_of(bar, now), height - height * up);
    }
    end_line();
    return drawn;
}

} // namespace

std::string rate_plot(const history& of, time_point now) {
    double most = 1;
    for (const auto& bar : of.bars()) {
        const auto parts = layers_of(bar);
        most = std::max(most, parts[0] + parts[1] + parts[2] + parts[3]);
    }
    const auto top = rounded_up(most);
    std::string shapes;
    constexpr std::array names{"area-good", "area-4xx", "area-gate", "area-failed"};
    for (std::size_t i = 0; i < names.size(); ++i) shapes += area(of, now, i, top, names[i]);
    return framed({scale_words(top) + "/s", scale_words(top / 2), "0"}, shapes + marks(of, now), "Requests a second",
                  labels(of, now));
}

std::string latency_plot(const history& of, time_point now) {
    float most = 0;
    for (const auto& bar : of.bars()) most = std::max(most, bar.slowest);
    const auto decades = std::max(4.0, std::ceil(std::log10(std::max<double>(most, 1) / least_latency)));
    std::vector<std::string> scale;
    for (auto decade = decades; decade >= 0; --decade) {
        const auto seconds = least_latency * std::pow(10, decade);
        scale.push_back(seconds > 0.9 ? fmt::format("{:.0f} s", seconds) : span_words(seconds));
    }
    return framed(scale,
                  latency_line(of, now, &history::bar::slowest, decades, "line-p99") +
                      latency_line(of, now, &history::bar::median, decades, "line-p50") + marks(of, now),
                  "Latency", labels(of, now));
}

std::string not_ready_plot(const history& of, time_point now) {
    std::uint32_t most = 0;
    for (const auto& bar : of.bars()) most = std::max(most, bar.not_ready);
    if (most == 0) return {};
    const auto top = rounded_up(most);
    std::string points;
    for (const auto& bar : of.bars()) add_point(points, x_of(bar, now), height - height * bar.not_ready / top);
    return framed({count_words(static_cast<std::uint64_t>(top)), "0"},
                  fmt::format(R"(<polyline class="line-gate" points="{}"/>)", points) + marks(of, now),
                  "Resources not ready");
}

} // namespace sidecar
