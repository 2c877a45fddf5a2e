#include "proxy/config/load_config.hpp"

#include "proxy/config/config_checks.hpp"
#include "proxy/config/config_overrides.hpp"
#include "proxy/config/config_reader.hpp"
#include "proxy/config/yaml_document.hpp"
#include "sidecar/rules.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <utility>

namespace sidecar {
namespace {

constexpr std::size_t complaints_max = 50;      // shown
constexpr std::size_t file_bytes_max = 2 * mib; // read; parse_yaml says what is too large

// file:line:column, or the option that said it: its key alone, for the value may be a secret.
std::string with_place(const complaint& told, std::string_view file_name, const overrides& over) {
    if (told.where.option > 0) {
        const auto& option = over.set.at(static_cast<std::size_t>(told.where.option) - 1);
        const auto key = option.substr(0, option.find('='));
        const bool names_key = !key.empty() && told.message.starts_with(key + ": ");
        return "--set " + (names_key ? "" : shown(key) + ": ") + told.message;
    }
    std::string text(file_name);
    text.append(":").append(std::to_string(told.where.line)).append(":").append(std::to_string(told.where.column));
    return text.append(": ").append(told.message);
}

failure all_of(std::vector<complaint> complaints, std::string_view file_name, const overrides& over) {
    std::stable_sort(complaints.begin(), complaints.end(),
                     [](const complaint& a, const complaint& b) { return a.where < b.where; });
    std::string text;
    for (std::size_t i = 0; i < complaints.size(); ++i) {
        if (!text.empty()) text += '\n';
        if (i == complaints_max) {
            text.append(file_name).append(": and ").append(std::to_string(complaints.size() - i)).append(" more");
            break;
        }
        text.append(with_place(complaints[i], file_name, over));
    }
    return failure{std::move(text)};
}

// Behind the file's rules, those of the built-in ones whose names it does not use.
void add_builtin_rules(std::vector<rule>& rules) {
    const auto of_the_file = rules.size();
    for (auto& builtin : dds_rules()) {
        const auto end = rules.begin() + static_cast<std::ptrdiff_t>(of_the_file);
        const auto same = [&builtin](const rule& one) { return one.name == builtin.name; };
        if (std::none_of(rules.begin(), end, same)) rules.push_back(std::move(builtin));
    }
}

// All that is right; what is wrong keeps its default, and is found.
config read_values(yaml_document& document, const overrides& over, findings& all) {
    config read;
    read.rules.rules.clear();
    for (const auto& [where, message] : document.complaints) all.complain(where, message);
    set_options(document.root, over.set, all);
    expand_variables(document.root, over.environment, all);
    section_reader top(all, document.root, "");
    keys(top, read);
    top.finish();
    const auto rules_of_the_file = read.rules.rules.size();
    if (read.rules.builtin_rules) add_builtin_rules(read.rules.rules);
    check_together(read, rules_of_the_file, all);
    return read;
}

result<std::string> read_file(const std::filesystem::path& path) {
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) return failure{path.string() + ": is a directory"};
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return failure{path.string() + ": " + std::generic_category().message(errno != 0 ? errno : EIO)};
    std::string text(file_bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return failure{path.string() + ": can't be read"};
    text.resize(static_cast<std::size_t>(file.gcount()));
    return result<std::string>(boost::system::in_place_value, std::move(text));
}

} // namespace

result<config> read_config(std::string_view text, std::string_view file_name, const overrides& over,
                           std::vector<std::string>* warnings) {
    auto document = parse_yaml(text);
    if (!document.whole) return all_of(document.complaints, file_name, over);
    // A file that is being written is empty for a moment; its defaults must not be taken for what it says.
    if (document.root.is == yaml_node::kind::nothing)
        return failure{std::string(file_name) + ":1:1: the file is empty; {} would mean: all defaults"};
    findings all;
    auto read = read_values(document, over, all);
    if (!all.complaints().empty()) return all_of(all.complaints(), file_name, over);
    if (warnings)
        for (const auto& each : all.warnings()) warnings->push_back(with_place(each, file_name, over));
    return read;
}

result<config> load_config(const std::filesystem::path& path, const overrides& over,
                           std::vector<std::string>* warnings) {
    const auto text = read_file(path);
    if (!text) return text.error();
    return read_config(*text, path.string(), over, warnings);
}

result<config> load_what_is_right(const std::filesystem::path& path, const overrides& over) {
    auto by_options_alone = read_config("{}", path.string(), over);
    if (!by_options_alone) return by_options_alone;
    const auto text = read_file(path);
    if (!text) return by_options_alone;
    auto document = parse_yaml(*text);
    if (!document.whole || document.root.is == yaml_node::kind::nothing) return by_options_alone;
    findings all;
    return read_values(document, over, all);
}

std::vector<std::string> doubts_about(const config& values) {
    std::vector<std::string> doubts;
    const auto& rules = values.rules.rules;
    for (const auto& [hidden, by] : hidden_rules(rules))
        doubts.push_back("rule '" + rules[hidden].name + "' is hidden by '" + rules[by].name +
                         "', which stands before it and selects all of its requests");
    const auto look_for = [&doubts](const std::string& key, const std::string& file) {
        if (!file.empty() && ::access(file.c_str(), R_OK) != 0)
            doubts.push_back(key + ": " + file + ": " + std::generic_category().message(errno));
    };
    look_for("status.ca_file", values.status.ca_file);
    for (std::size_t i = 0; i < values.status.headers.size(); ++i)
        look_for("status.headers[" + std::to_string(i) + "].file", values.status.headers[i].file);
    // The kernel does not hand clients out evenly: one worker's few may all be taken while another's are free.
    const auto share = [&](const std::string& key, std::size_t limit) {
        if (limit == 0 || values.workers <= 1 || limit >= std::size_t{4} * values.workers) return;
        const auto each = (limit + values.workers - 1) / values.workers;
        doubts.push_back(key + ": " + std::to_string(limit) + " over " + std::to_string(values.workers) +
                         " workers is " + std::to_string(each) +
                         " each, and clients come to them unevenly: fewer workers would share better");
    };
    share("upstream.max_connections", values.upstream.connections_max);
    share("downstream.max_connections", values.downstream.connections_max);
    return doubts;
}

} // namespace sidecar
