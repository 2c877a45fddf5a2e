#include "proxy/config/config_overrides.hpp"

#include <algorithm>

namespace sidecar {
namespace {

constexpr std::size_t expanded_bytes_max = 64 * kib;

bool is_key_char(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }
bool is_name_char(char c) { return is_key_char(c) || (c >= 'A' && c <= 'Z'); }

yaml_node scalar(std::string_view text, place where) {
    yaml_node node;
    node.is = yaml_node::kind::scalar;
    node.where = where;
    node.text = text;
    return node;
}

void place_all(yaml_node& node, place where) {
    node.where = where;
    for (auto& each : node.keys) place_all(each, where);
    for (auto& each : node.items) place_all(each, where);
}

// Lists, maps and quoted texts are YAML; anything else is taken as it stands: `[::]:8080`, `a: b # c`.
yaml_node value_of(std::string_view text, place where) {
    constexpr std::string_view begins_yaml = "[{\"'";
    if (!text.empty() && begins_yaml.find(text.front()) != std::string_view::npos) {
        auto document = parse_yaml(text);
        if (document.whole && document.complaints.empty()) {
            place_all(document.root, where);
            return std::move(document.root);
        }
    }
    return scalar(text, where);
}

// The value of a key, made if there is none. What is no map becomes one.
yaml_node& child(yaml_node& parent, std::string_view name, place where) {
    if (parent.is != yaml_node::kind::map) {
        parent = {};
        parent.is = yaml_node::kind::map;
        parent.where = where;
    }
    for (std::size_t i = 0; i < parent.keys.size(); ++i)
        if (parent.keys[i].is == yaml_node::kind::scalar && parent.keys[i].text == name) return parent.items[i];
    parent.keys.push_back(scalar(name, where));
    parent.items.emplace_back().where = where;
    return parent.items.back();
}

bool is_path(std::string_view path) {
    return !path.empty() && path.front() != '.' && path.back() != '.' && path.find("..") == std::string_view::npos &&
           std::all_of(path.begin(), path.end(), [](char c) { return is_key_char(c) || c == '.'; });
}

void set_option(yaml_node& root, std::string_view option, place where, findings& all) {
    const auto equals = option.find('=');
    const auto path = option.substr(0, equals);
    if (equals == std::string_view::npos || !is_path(path))
        return all.complain(where, "expected KEY=VALUE, such as upstream.address=127.0.0.1:3000 (a list is set whole)");
    auto* node = &root;
    for (auto rest = path; !rest.empty();) {
        const auto name = rest.substr(0, rest.find('.'));
        rest.remove_prefix(std::min(name.size() + 1, rest.size()));
        node = &child(*node, name, where);
    }
    *node = value_of(option.substr(equals + 1), where);
}

// Why a text can't be expanded; empty: it has been.
class expansion {
public:
    explicit expansion(const overrides::variables& variables) : variables_(variables) {}

    std::string run(std::string& text) {
        std::string out;
        std::string_view rest = text;
        while (!rest.empty()) {
            const auto dollar = std::min(rest.find('$'), rest.size());
            out.append(rest.substr(0, dollar));
            rest.remove_prefix(dollar);
            if (rest.starts_with("$${")) {
                out += "${";
                rest.remove_prefix(3);
            } else if (rest.starts_with("${")) {
                const auto end = rest.find('}');
                if (end == std::string_view::npos) return "'${' without its '}'; '$${' stands for '${' itself";
                if (auto why = append_value(rest.substr(2, end - 2), out); !why.empty()) return why;
                rest.remove_prefix(end + 1);
            } else if (!rest.empty()) {
                out += rest.front();
                rest.remove_prefix(1);
            }
            if (out.size() > expanded_bytes_max) return "is longer than 64 KiB once its variables are put in";
        }
        text = std::move(out);
        return {};
    }

private:
    std::string append_value(std::string_view inside, std::string& out) const {
        const auto colon = std::min(inside.find(':'), inside.size());
        const auto name = inside.substr(0, colon);
        const auto otherwise = inside.substr(colon);
        const bool is_name = !name.empty() && !(name.front() >= '0' && name.front() <= '9') &&
                             std::all_of(name.begin(), name.end(), is_name_char);
        if (!is_name || !(otherwise.empty() || otherwise.starts_with(":-")))
            return "expected ${NAME} or ${NAME:-text}, not '${" + shown(inside) + "}'";
        const auto found = variables_.find(name);
        if (found != variables_.end() && !(found->second.empty() && !otherwise.empty())) {
            out.append(found->second);
        } else {
            if (otherwise.empty())
                return "the environment has no variable " + shown(name) + "; ${" + shown(name) +
                       ":-text} would do without";
            out.append(otherwise.substr(2));
        }
        return {};
    }

    const overrides::variables& variables_;
};

} // namespace

void set_options(yaml_node& root, const std::vector<std::string>& options, findings& all) {
    for (std::size_t i = 0; i < options.size(); ++i)
        set_option(root, options[i], place{.option = static_cast<int>(i) + 1}, all);
}

void expand_variables(yaml_node& node, const overrides::variables& variables, findings& all) {
    if (node.is == yaml_node::kind::scalar && node.text.find("${") != std::string::npos) {
        node.quoted = false; // within braces it needs quotes, and may be a number all the same
        if (auto why = expansion(variables).run(node.text); !why.empty()) {
            all.complain(node.where, std::move(why));
            node.text.clear();
            node.is = yaml_node::kind::unusable;
        }
    }
    for (auto& each : node.items) expand_variables(each, variables, all);
}

} // namespace sidecar
