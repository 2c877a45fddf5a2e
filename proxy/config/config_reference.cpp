#include "proxy/config/config_reference.hpp"

#include "proxy/config/key_info.hpp"
#include "proxy/config/load_config.hpp"
#include "proxy/json/json_string.hpp"

#include <algorithm>
#include <sstream>

namespace sidecar {
namespace {

using shape = key_info::shape;

// --- JSON Schema ---

std::string in_json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

std::string schema_of(const key_info& one);

std::string object_schema(const std::vector<key_info>& keys) {
    std::string properties, required, alternatives;
    for (const auto& each : keys) {
        properties.append(properties.empty() ? "" : ",").append(in_json(each.name) + ":" + schema_of(each));
        if (each.required) required.append(required.empty() ? "" : ",").append(in_json(each.name));
        if (each.one_of)
            alternatives.append(alternatives.empty() ? "" : ",").append("{\"required\":[" + in_json(each.name) + "]}");
    }
    auto all = "\"type\":\"object\",\"additionalProperties\":false,\"properties\":{" + properties + "}";
    if (!required.empty()) all += ",\"required\":[" + required + "]";
    if (!alternatives.empty()) all += ",\"oneOf\":[" + alternatives + "]";
    return all;
}

std::string schema_of(const key_info& one) {
    std::string members = "\"description\":" + in_json(one.about);
    if (one.deprecated) members += ",\"deprecated\":true";
    if (!one.initial_json.empty()) members += ",\"default\":" + one.initial_json;
    if (!one.schema.empty()) members += "," + one.schema;
    if (one.is == shape::section) members += "," + object_schema(one.inside);
    if (one.is == shape::list)
        members += ",\"type\":\"array\",\"maxItems\":" + std::to_string(one.items_max) + ",\"items\":{" +
                   object_schema(one.inside) + "}";
    return "{" + members + "}";
}

// Of a text that begins with a bracket: what is within it, as long as it is.
struct bracketed {
    std::size_t length = 0;
    bool holds_objects = false;
};
bracketed look_into(std::string_view json) {
    bracketed seen;
    bool in_text = false;
    int depth = 0;
    for (; seen.length < json.size(); ++seen.length) {
        const char c = json[seen.length];
        if (c == '\\') ++seen.length;
        if (c == '"') in_text = !in_text;
        if (in_text) continue;
        if (c == '{' && depth > 0) seen.holds_objects = true;
        if (c == '{' || c == '[') ++depth;
        if ((c == '}' || c == ']') && --depth == 0) break;
    }
    return seen;
}

// Objects and lists of objects over several lines, the rest as it is.
std::string indented(std::string_view json) {
    std::string out;
    std::string breaks; // for each bracket that is open, whether its members have lines of their own
    bool in_text = false;
    const auto new_line = [&] {
        out.append("\n").append(2 * static_cast<std::size_t>(std::count(breaks.begin(), breaks.end(), 'y')), ' ');
    };
    for (std::size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (in_text) {
            out += c;
            if (c == '\\') out += json[++i];
            in_text = c != '"';
            continue;
        }
        if (c == '}' || c == ']') {
            const bool broken = breaks.back() == 'y';
            breaks.pop_back();
            if (broken) new_line();
        }
        out += c;
        in_text = c == '"';
        if (c == '{' || c == '[') {
            const auto inside = look_into(json.substr(i));
            breaks += inside.holds_objects || inside.length > 90 ? 'y' : 'n';
            if (breaks.back() == 'y') new_line();
        }
        if (c == ',') {
            if (breaks.back() == 'y')
                new_line();
            else
                out += ' ';
        }
        if (c == ':') out += ' ';
    }
    return out + "\n";
}

// --- Markdown ---

std::string in_cell(std::string text) {
    for (auto at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, "\\");
    return text;
}

bool has_keys_of_its_own(const key_info& one) { return one.is != shape::value; }

void add_table(std::string& out, const key_info& of, const std::string& path) {
    out += "| Key | Default | Values | |\n| --- | --- | --- | --- |\n";
    for (const auto& each : of.inside) {
        if (each.deprecated || each.is == shape::section) continue;
        out += "| `" + path + each.name + "` | ";
        out += each.required ? "required" : each.initial.empty() ? "" : "`" + in_cell(each.initial) + "`";
        out += " | " + in_cell(each.allowed) + " | " + in_cell(each.about) + " |\n";
    }
    out += "\n";
}

void add_part(std::string& out, const key_info& of, const std::string& path, std::size_t depth) {
    const auto title = of.is == shape::list ? path + "[]" : path;
    out.append(depth, '#').append(" `" + title + "`\n\n").append(of.about + "\n\n");
    const auto below = of.is == shape::list ? "" : path + ".";
    const bool has_values = std::any_of(of.inside.begin(), of.inside.end(), [](const key_info& one) {
        return one.is != shape::section && !one.deprecated;
    });
    if (has_values) add_table(out, of, below);
    const bool chooses = std::any_of(of.inside.begin(), of.inside.end(), [](const auto& one) { return one.one_of; });
    if (chooses) out += "And exactly one of these:\n\n";
    for (const auto& each : of.inside)
        if (has_keys_of_its_own(each)) add_part(out, each, title + "." + each.name, depth + 1);
}

void add_deprecated(std::string& out, const key_info& of, const std::string& path) {
    for (const auto& each : of.inside) {
        const auto name = path.empty() ? each.name : path + "." + each.name;
        if (each.deprecated) out += "- `" + name + "`: " + each.about + "\n";
        if (has_keys_of_its_own(each)) add_deprecated(out, each, name);
    }
}

// --- The shipped file ---

constexpr std::size_t comments_at = 33, line_max = 120;

void add_wrapped(std::string& out, std::string_view text, const std::string& begin) {
    while (!text.empty()) {
        auto length = text.size();
        if (begin.size() + length > line_max) length = text.rfind(' ', line_max - begin.size());
        out.append(begin).append(text.substr(0, length)).append("\n");
        text.remove_prefix(std::min(text.size(), length + 1));
    }
}

void add_line(std::string& out, const key_info& one, std::size_t indent) {
    auto line = std::string(indent, ' ') + one.name + ":" + (one.initial.empty() ? "" : " " + one.initial);
    line.resize(std::max(line.size() + 1, comments_at), ' ');
    out += line + "# " + one.about + "\n";
}

void add_keys(std::string& out, const key_info& of, std::size_t indent) {
    for (const auto& each : of.inside) {
        if (each.deprecated) continue;
        add_line(out, each, indent);
        if (each.is == shape::section) add_keys(out, each, indent + 2);
    }
}

void add_comments(std::string& out, const key_info& of, const std::string& begin) {
    for (const auto& each : of.inside) {
        add_wrapped(out, each.name + ": " + each.about, begin);
        if (each.is == shape::section) add_comments(out, each, begin + "  ");
    }
}

// Of the list of rules: what one has, and how those that are built in would stand there.
void add_about_rules(std::string& out, const key_info& rules) {
    out += "# A rule has a name, a method, a path, perhaps a query, and one of augment, gate and learn:\n";
    add_comments(out, rules, "#   ");
    out += "# These are built in:\n";
    std::istringstream lines(print_rules(dds_rules()));
    for (std::string line; std::getline(lines, line);) out += "# " + line + "\n";
}

} // namespace

std::string config_schema() {
    const auto all = describe_keys();
    return indented(
        "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\","
        "\"title\":\"sidecar.yaml\",\"$defs\":{\"variable\":{\"description\":\"a variable of the environment\","
        "\"type\":\"string\",\"pattern\":\"\\\\$\\\\{\"}}," +
        object_schema(all.inside) + "}");
}

std::string config_reference() {
    const auto all = describe_keys();
    std::string out =
        "# Configuration\n\n"
        "<!-- Made by `sidecar --print-reference` from the list of keys in proxy/config/config_keys.hpp. -->\n\n"
        "One YAML file: `--config FILE`, else `/etc/sidecar/sidecar.yaml`, else `./sidecar.yaml`. A key left out has "
        "its\n"
        "default; a key that is not known, or is there twice, is an error. `sidecar --check` says what is wrong, with "
        "line\n"
        "and column, and warns of what is right and yet doubtful; `--print-config` shows what is in force;\n"
        "`--print-schema` is for editors.\n\n"
        "- Durations: `250ms`, `10s`, `2m`, `1h`. Sizes: `512B`, `64KiB`, `1MiB`, `2GiB`.\n"
        "- In values, `${NAME}` is a variable of the environment, which must be set; `${NAME:-text}` does without;\n"
        "  `$${` stands for `${` itself. Within `[]` and `{}` such a value needs quotes.\n"
        "- `--set KEY=VALUE` (as often as wanted) comes over the file: `--set upstream.address=127.0.0.1:3000`. A list "
        "is\n"
        "  set whole: `--set 'own_answers.cors.allow_origins=[\"https://portal.example\"]'`.\n"
        "- A change of the file, or `SIGHUP`, reloads it. `listen`, `workers`, `admin.address` and `log.buffer` wait "
        "for a\n"
        "  restart.\n\n";
    for (const auto& each : all.inside)
        if (each.is != shape::value) add_part(out, each, each.name, 2);
    out += "## Others\n\n";
    key_info others;
    for (const auto& each : all.inside)
        if (each.is == shape::value) others.inside.push_back(each);
    add_table(out, others, "");
    out += "## Deprecated\n\nTaken for one more version, with a warning.\n\n";
    add_deprecated(out, all, "");
    out += "- `log.access: true`, `false`: Write `all`, `off`.\n";
    return out;
}

std::string config_file() {
    std::string out = "# yaml-language-server: $schema=sidecar.schema.json\n";
    add_wrapped(
        out,
        "The sidecar's configuration: every key, with its default. A key left out has its default; a key that is "
        "not known, or is there twice, is an error. Durations: 250ms, 10s, 2m, 1h. Sizes: 512B, 64KiB, 1MiB, "
        "2GiB. In values, ${NAME} and ${NAME:-text} are variables of the environment. `sidecar --check` says "
        "whether a file is right, `--print-config` what is in force. A change of this file, or SIGHUP, reloads "
        "it; `listen`, `workers`, `admin.address` and `log.buffer` wait for a restart.",
        "# ");
    for (const auto& each : describe_keys().inside) {
        if (each.deprecated) continue;
        out += "\n";
        if (each.is == shape::value) {
            add_line(out, each, 0);
            continue;
        }
        add_wrapped(out, each.about, "# ");
        out += each.name + ":" + (each.is == shape::list ? " []" : "") + "\n";
        if (each.is == shape::section) add_keys(out, each, 2);
        if (each.is == shape::list) add_about_rules(out, each);
    }
    return out;
}

} // namespace sidecar
