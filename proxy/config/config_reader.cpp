#include "proxy/config/config_reader.hpp"

#include <algorithm>

namespace sidecar {
namespace {

std::string_view kind_of(const yaml_node& node) {
    switch (node.is) {
    case yaml_node::kind::nothing:
        return "nothing";
    case yaml_node::kind::alias:
        return "an alias: write the value out";
    case yaml_node::kind::scalar:
        return "a single value";
    case yaml_node::kind::sequence:
        return "a list";
    case yaml_node::kind::map:
        return "a map";
    case yaml_node::kind::unusable:
        return "what can't be read";
    }
    return "";
}

std::string joined(const std::vector<std::string_view>& words, std::string_view separator) {
    std::string all;
    for (const auto word : words) all.append(all.empty() ? "" : separator).append(word);
    return all;
}

std::string in_quotes(std::string_view text) { return "'" + shown(text) + "'"; }

// 64KB, 64K, 64kib and 64Ki are no sizes here: in some programs the first is 64000 bytes.
std::string meant_size(std::string_view text) {
    const auto digits = std::min(text.find_first_not_of("0123456789"), text.size());
    if (digits == 0 || digits == text.size()) return "";
    std::string unit(1, static_cast<char>(text[digits] & ~0x20)); // a capital
    if (std::string_view("KMG").find(unit) == std::string_view::npos || text.size() > digits + 3) return "";
    const auto meant = std::string(text.substr(0, digits)) + unit + "iB";
    return read_size(meant) ? ", did you mean '" + meant + "'?" : "";
}

// Quotes make a text of what looks like a number.
std::string in_quotes(const yaml_node& scalar) { return (scalar.quoted ? "the text " : "") + in_quotes(scalar.text); }

} // namespace

void findings::complain(place where, const std::string& path, std::string message) {
    wrong_.insert(path);
    complain(where, std::move(message));
}

void findings::complain(std::initializer_list<std::string> paths, std::string message) {
    place where;
    for (const auto& path : paths)
        if (const auto found = places_.find(path); found != places_.end()) {
            where = found->second;
            break;
        }
    complain(where, std::move(message));
}

bool findings::sound(const std::string& path) const {
    const auto at = wrong_.lower_bound(path);
    if (at == wrong_.end() || !at->starts_with(path)) return true;
    const auto after = std::string_view(*at).substr(path.size());
    return !(after.empty() || after.front() == '.' || after.front() == '[');
}

section_reader::section_reader(findings& all, const yaml_node& node, std::string path)
    : findings_(&all),
      node_(&node),
      path_(std::move(path)) {
    findings_->note_place(path_, node.where);
    if (node.is != yaml_node::kind::map) {
        const auto what = path_.empty() ? std::string("the file") : path_;
        findings_->complain(node.where, path_, what + ": expected keys with values, not " + std::string(kind_of(node)));
        return;
    }
    for (std::size_t i = 0; i < node.keys.size(); ++i) {
        const auto& key = node.keys[i];
        if (key.is != yaml_node::kind::scalar) {
            findings_->complain(key.where, "a key must be a word, not " + std::string(kind_of(key)));
            continue;
        }
        const auto same = [&key](const yaml_node& other) {
            return other.is == yaml_node::kind::scalar && other.text == key.text;
        };
        const auto first = std::find_if(node.keys.begin(), node.keys.begin() + static_cast<std::ptrdiff_t>(i), same);
        if (first != node.keys.begin() + static_cast<std::ptrdiff_t>(i))
            findings_->complain(key.where, "duplicate key " + in_quotes(key.text) + ", first in line " +
                                               std::to_string(first->where.line));
    }
}

void section_reader::finish() {
    if (node_->is != yaml_node::kind::map) return;
    for (const auto& key : node_->keys) {
        if (key.is != yaml_node::kind::scalar) continue; // said already
        if (std::find(known_.begin(), known_.end(), key.text) != known_.end()) continue;
        auto message = "unknown key " + in_quotes(key.text);
        if (const auto meant = nearest(key.text, offered_); !meant.empty())
            message += ", did you mean " + in_quotes(meant) + "?";
        else
            message += ", here are known: " + joined(offered_, ", ");
        findings_->complain(key.where, std::move(message));
    }
}

bool section_reader::has(std::string_view name) const {
    return node_->is == yaml_node::kind::map &&
           std::any_of(node_->keys.begin(), node_->keys.end(),
                       [name](const yaml_node& key) { return key.is == yaml_node::kind::scalar && key.text == name; });
}

const yaml_node* section_reader::take(std::string_view name) {
    known_.push_back(name);
    offered_.push_back(name);
    if (node_->is != yaml_node::kind::map) return nullptr;
    if (const auto former = former_names_.find(name); former != former_names_.end() && !has(name))
        name = former->second;
    for (std::size_t i = 0; i < node_->keys.size(); ++i)
        if (node_->keys[i].is == yaml_node::kind::scalar && node_->keys[i].text == name) {
            findings_->note_place(path_of(name), node_->items[i].where);
            return &node_->items[i];
        }
    return nullptr;
}

void section_reader::wrong(std::string_view name, const yaml_node& node, const std::string& what) {
    if (node.is == yaml_node::kind::unusable) return findings_->mark_wrong(path_of(name));
    findings_->complain(node.where, path_of(name), path_of(name) + ": " + what);
}

const yaml_node* section_reader::take_scalar(std::string_view name, std::string_view expected) {
    const auto* node = take(name);
    if (!node || node->is == yaml_node::kind::scalar) return node;
    wrong(name, *node, "expected " + std::string(expected) + ", not " + std::string(kind_of(*node)));
    return nullptr;
}

const yaml_node* section_reader::take_list(std::string_view name, std::size_t items_max) {
    const auto* node = take(name);
    if (!node) return nullptr;
    if (node->is != yaml_node::kind::sequence) {
        wrong(name, *node, "expected a list, not " + std::string(kind_of(*node)));
        return nullptr;
    }
    if (node->items.size() > items_max) {
        wrong(name, node->items[items_max],
              "at most " + std::to_string(items_max) + ", not " + std::to_string(node->items.size()));
        return nullptr;
    }
    return node;
}

void section_reader::require(std::string_view name, presence needed) {
    if (needed != presence::required || has(name) || node_->is != yaml_node::kind::map) return;
    wrong(name, *node_, "is missing");
}

bool section_reader::has_exactly_one_of(std::initializer_list<std::string_view> names) {
    const auto found = std::count_if(names.begin(), names.end(), [this](auto name) { return has(name); });
    if (found == 1) return true;
    for (const auto name : names) take(name);
    if (node_->is == yaml_node::kind::map)
        findings_->complain(node_->where, path_,
                            path_ + ": expected exactly one of " + joined(names, ", ") +
                                (found == 0 ? ", not none" : ", not " + std::to_string(found)));
    return false;
}

void section_reader::flag(const key& of, bool& into) {
    const auto* node = take_scalar(of.name, "true or false");
    if (!node) return;
    if (node->quoted || (node->text != "true" && node->text != "false"))
        return wrong(of.name, *node, "expected true or false, not " + in_quotes(*node));
    into = node->text == "true";
}

void section_reader::file_mode(const key& of, unsigned& into) {
    const auto* node = take_scalar(of.name, "a file mode such as \"0660\"");
    if (!node) return;
    if (const auto read = read_file_mode(node->text))
        into = *read;
    else
        wrong(of.name, *node, "expected a file mode from 0000 to 0777, such as \"0660\", not " + in_quotes(*node));
}

void section_reader::number(const key& of, double& into, range<double> allowed) {
    const auto* node = take_scalar(of.name, "a number");
    if (!node) return;
    const auto read = node->quoted ? std::nullopt : read_number(node->text);
    if (!read || *read < allowed.least || *read > allowed.most)
        return wrong(of.name, *node,
                     "expected a number from " + print_number(allowed.least) + " to " + print_number(allowed.most) +
                         ", not " + in_quotes(*node));
    into = *read;
}

void section_reader::size(const key& of, std::size_t& into, range<std::uint64_t> allowed) {
    const auto* node = take_scalar(of.name, "a size such as 64KiB");
    if (!node) return;
    const auto read = read_size(node->text);
    if (!read && read_count(node->text))
        return wrong(of.name, *node, in_quotes(*node) + " needs a unit: B, KiB, MiB or GiB");
    if (!read)
        return wrong(of.name, *node,
                     "expected a size such as 512B, 64KiB or 1MiB, not " + in_quotes(*node) + meant_size(node->text));
    if (*read < allowed.least || *read > allowed.most)
        return wrong(of.name, *node,
                     "must be from " + print_size(allowed.least) + " to " + print_size(allowed.most) + ", not " +
                         in_quotes(*node));
    into = static_cast<std::size_t>(*read);
}

std::optional<milliseconds> section_reader::read_duration_of(std::string_view name, range<milliseconds> allowed,
                                                             milliseconds granularity) {
    const auto* node = take_scalar(name, "a duration such as 10s");
    if (!node) return std::nullopt;
    const auto read = read_duration(node->text);
    if (!read && read_count(node->text))
        wrong(name, *node, in_quotes(*node) + " needs a unit: ms, s, m or h");
    else if (!read)
        wrong(name, *node, "expected a duration such as 250ms, 10s, 2m or 1h, not " + in_quotes(*node));
    else if (*read < allowed.least || *read > allowed.most)
        wrong(name, *node,
              "must be from " + print_duration(allowed.least) + " to " + print_duration(allowed.most) + ", not " +
                  in_quotes(*node));
    else if (read->count() % granularity.count() != 0)
        wrong(name, *node, "must be a multiple of " + print_duration(granularity) + ", not " + in_quotes(*node));
    else
        return read;
    return std::nullopt;
}

std::optional<std::uint64_t> section_reader::read_count_of(std::string_view name, range<std::uint64_t> allowed,
                                                           automatic zero) {
    const std::string or_auto = zero == automatic::yes ? ", or auto" : "";
    const auto* node = take_scalar(name, "a number" + or_auto);
    if (!node) return std::nullopt;
    if (zero == automatic::yes && node->text == "auto") return 0;
    const auto read = node->quoted ? std::nullopt : read_count(node->text);
    if (read && *read >= allowed.least && *read <= allowed.most) return read;
    wrong(name, *node,
          "expected a number from " + std::to_string(allowed.least) + " to " + std::to_string(allowed.most) + or_auto +
              ", not " + in_quotes(*node));
    return std::nullopt;
}

std::optional<std::size_t> section_reader::read_word_of(std::string_view name, const std::vector<known_word>& words) {
    std::vector<std::string_view> present;
    for (const auto& each : words)
        if (each.instead.empty()) present.push_back(each.spelling);
    const auto expected = joined(present, " or ");
    const auto* node = take_scalar(name, expected);
    if (!node) return std::nullopt;
    const auto found = std::find_if(words.begin(), words.end(),
                                    [node](const known_word& each) { return each.spelling == node->text; });
    if (found == words.end()) {
        wrong(name, *node, "expected " + expected + ", not " + in_quotes(*node));
        return std::nullopt;
    }
    if (!found->instead.empty())
        findings_->warn(node->where, path_of(name) + ": " + in_quotes(*node) + " is deprecated, write " +
                                         std::string(found->instead));
    return static_cast<std::size_t>(found - words.begin());
}

void section_reader::renamed(std::string_view before, std::string_view now) {
    const auto* node = take(before);
    offered_.pop_back();
    if (!node) return;
    if (has(now)) return wrong(before, *node, "is what " + std::string(now) + " was called: write that alone");
    former_names_.emplace(now, before);
    findings_->warn(node->where, path_of(before) + ": is deprecated, write " + std::string(now));
}

void section_reader::dropped(std::string_view name, std::string_view why) {
    const auto* node = take(name);
    offered_.pop_back();
    if (node) findings_->warn(node->where, path_of(name) + ": is deprecated and does nothing: " + std::string(why));
}

std::optional<endpoint> section_reader::read_address(std::string_view name, const yaml_node& node, port_zero zero) {
    auto read = read_endpoint(node.text);
    if (read && (read->port != 0 || zero == port_zero::any_free)) return read;
    const std::string expected = "expected HOST:PORT, such as 0.0.0.0:8080 or \"[::]:8080\"";
    wrong(name, node, read ? "the port can't be 0" : expected + ", not " + in_quotes(node));
    return std::nullopt;
}

void section_reader::address(const key& of, endpoint& into, port_zero zero) {
    const auto* node = take_scalar(of.name, "HOST:PORT or unix:/PATH");
    if (!node) return;
    if (const auto socket = read_unix_path(node->text)) {
        if (const auto fault = socket_path_fault(*socket)) return wrong(of.name, *node, *fault);
        into = endpoint{"", 0, std::string(*socket)};
    } else if (auto read = read_address(of.name, *node, zero)) {
        into = std::move(*read);
    }
}

void section_reader::address_or_off(const key& of, std::optional<endpoint>& into, port_zero zero) {
    const auto* node = take_scalar(of.name, "HOST:PORT or off");
    if (!node) return;
    if (node->text == "off")
        into.reset();
    else if (auto read = read_address(of.name, *node, zero))
        into = std::move(*read);
}

void section_reader::text(const key& of, std::string& into, const text_form& form, presence needed) {
    require(of.name, needed);
    const auto* node = take_scalar(of.name, "text");
    if (!node) return;
    if (const auto fault = form.fault(node->text)) return wrong(of.name, *node, *fault);
    into = node->text;
}

void section_reader::texts(const key& of, std::vector<std::string>& into, const text_form& form, presence needed) {
    require(of.name, needed);
    const auto* node = take_list(of.name, list_items_max);
    if (!node) return;
    if (node->items.empty() && needed == presence::required) return wrong(of.name, *node, "must not be empty");
    std::vector<std::string> read;
    for (const auto& item : node->items) {
        if (item.is != yaml_node::kind::scalar)
            wrong(of.name, item, "expected text, not " + std::string(kind_of(item)));
        else if (const auto fault = form.fault(item.text))
            wrong(of.name, item, in_quotes(item.text) + " " + *fault);
        else if (std::find(read.begin(), read.end(), item.text) != read.end())
            wrong(of.name, item, in_quotes(item.text) + " is there twice");
        else
            read.push_back(item.text);
    }
    into = std::move(read);
}

} // namespace sidecar
