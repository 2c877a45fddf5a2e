#include "proxy/control_plane/admin_page.hpp"

#include "proxy/control_plane/readiness_view.hpp"
#include "proxy/control_plane/summary.hpp"

#include <algorithm>
#include <functional>
#include <map>
#include <string>

namespace sidecar {
namespace {

// admin_page.html, made into a string literal by the build.
constexpr std::string_view page_template =
#include "admin_page.html.inc"
    ;

constexpr std::size_t resources_shown = 50;

std::string html_table(const figure_table& table) {
    if (table.rows.empty()) return {};
    std::string html = "<div class=\"scroll\"><table><thead><tr>";
    for (const auto& column : table.columns) html += "<th>" + escape_html(column) + "</th>";
    html += "</tr></thead><tbody>";
    for (const auto& row : table.rows) {
        html += "<tr><td>" + escape_html(row.label) + "</td>";
        for (const auto& cell : row.cells)
            html += "<td data-figure=\"" + escape_html(cell.key) + "\">" + escape_html(cell.text) + "</td>";
        html += "</tr>";
    }
    return html + "</tbody></table></div>";
}

std::string words(const resource_view& seen) {
    std::string text;
    for (const auto& [member, value] : seen.members) {
        std::string state_words(to_string(value));
        std::replace(state_words.begin(), state_words.end(), '_', ' ');
        if (!text.empty()) text += ", ";
        text.append(member).append(": ").append(state_words);
    }
    return text;
}

std::string html_rows(const std::vector<resource_view>& resources) {
    if (resources.empty()) return "<tr><td>nothing</td></tr>";
    std::string html;
    for (const auto& each : resources) {
        const char* source = each.learned ? "a passing answer" : each.listed ? "the status document" : "not listed";
        html += "<tr><td>" + escape_html(each.collection) + "</td><td class=\"id\">" + to_string(each.id) +
                "</td><td>" + escape_html(words(each)) + "</td><td>" + source + "</td></tr>";
    }
    return html;
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

std::string admin_page(const standing& now, std::string_view config_text, std::string_view id, std::string_view nonce) {
    const auto all = summarize(now);
    std::map<std::string, std::string, std::less<>> values;
    for (const auto& each : all.figures) values[each.key] = escape_html(each.text);
    for (const auto& each : all.tables) values["table." + each.key] = html_table(each);
    values["level"] = to_string(all.health);
    values["layout"] = all.layout;
    values["nonce"] = nonce;
    values["config"] = escape_html(config_text);
    values["id"] = escape_html(id);

    const auto wanted = parse_uuid(id);
    values["resources.title"] = id.empty() ? "Not ready"
                                : wanted   ? "What is known of " + to_string(*wanted)
                                           : "'" + escape_html(id) + "' is no id: 36 characters, 8-4-4-4-12";
    if (id.empty())
        values["resources"] = html_rows(not_ready_resources(now, resources_shown));
    else
        values["resources"] = html_rows(wanted ? look_up_everywhere(now, *wanted) : std::vector<resource_view>{});
    return fill(page_template, values);
}

} // namespace sidecar
