#include "proxy/config/config.hpp"

#include "proxy/config/config_checks.hpp"
#include "proxy/config/config_reader.hpp"
#include "proxy/config/yaml_document.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>

namespace sidecar {
namespace {

constexpr std::size_t complaints_max = 50;      // shown
constexpr std::size_t file_bytes_max = 2 * mib; // read; parse_yaml says what is too large

std::string with_place(const complaint& told, std::string_view file_name) {
    std::string text(file_name);
    text.append(":").append(std::to_string(told.where.line)).append(":").append(std::to_string(told.where.column));
    return text.append(": ").append(told.message);
}

failure all_of(std::vector<complaint> complaints, std::string_view file_name) {
    std::stable_sort(complaints.begin(), complaints.end(),
                     [](const complaint& a, const complaint& b) { return a.where < b.where; });
    std::string text;
    for (std::size_t i = 0; i < complaints.size(); ++i) {
        if (!text.empty()) text += '\n';
        if (i == complaints_max) {
            text.append(file_name).append(": and ").append(std::to_string(complaints.size() - i)).append(" more");
            break;
        }
        text.append(with_place(complaints[i], file_name));
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

} // namespace

result<config> read_config(std::string_view text, std::string_view file_name, std::vector<std::string>* warnings) {
    const auto document = parse_yaml(text);
    if (!document.whole) return all_of(document.complaints, file_name);
    // A file that is being written is empty for a moment; its defaults must not be taken for what it says.
    if (document.root.is == yaml_node::kind::nothing)
        return failure{std::string(file_name) + ":1:1: the file is empty; {} would mean: all defaults"};
    config read;
    read.rules.rules.clear();
    findings all;
    for (const auto& [where, message] : document.complaints) all.complain(where, message);
    section_reader top(all, document.root, "");
    keys(top, read);
    top.finish();
    const auto rules_of_the_file = read.rules.rules.size();
    if (read.rules.builtin_rules) add_builtin_rules(read.rules.rules);
    check_together(read, rules_of_the_file, all);
    if (!all.complaints().empty()) return all_of(all.complaints(), file_name);
    if (warnings)
        for (const auto& each : all.warnings()) warnings->push_back(with_place(each, file_name));
    return read;
}

result<config> load_config(const std::filesystem::path& path, std::vector<std::string>* warnings) {
    std::error_code ec;
    if (std::filesystem::is_directory(path, ec)) return failure{path.string() + ": is a directory"};
    errno = 0;
    std::ifstream file(path, std::ios::binary);
    if (!file) return failure{path.string() + ": " + std::generic_category().message(errno != 0 ? errno : EIO)};
    std::string text(file_bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad()) return failure{path.string() + ": can't be read"};
    text.resize(static_cast<std::size_t>(file.gcount()));
    return read_config(text, path.string(), warnings);
}

} // namespace sidecar
