// Writes the configuration as the file that would be read to it, secrets left out.
#include "proxy/config/load_config.hpp"

#include "proxy/config/config_keys.hpp"
#include "proxy/json/json_string.hpp"

#include <algorithm>
#include <array>
#include <concepts>
#include <type_traits>

namespace sidecar {
namespace {

enum class layout : std::uint8_t { lines, braces };

// Whether YAML reads it as the same text without quotes, wherever it stands. What other readers take for a boolean or
// for nothing gets quotes as well.
bool is_plain(std::string_view text, layout where) {
    constexpr std::array<std::string_view, 9> words{"true", "false", "null", "yes", "no", "on", "off", "y", "n"};
    if (text == redacted) return true;
    const auto is_word_char = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '/' || c == '_';
    };
    const auto is_plain_char = [&](char c) {
        if (is_word_char(c) || (c >= '0' && c <= '9') || c == '-' || c == '.') return true;
        return where == layout::lines && (c == '{' || c == '}' || c == ':' || c == '?' || c == '=');
    };
    return !text.empty() && is_word_char(text.front()) && !text.ends_with(':') &&
           std::all_of(text.begin(), text.end(), is_plain_char) &&
           std::find(words.begin(), words.end(), text) == words.end();
}

std::string quoted_if_needed(std::string_view text, layout where) {
    if (is_plain(text, where)) return std::string(text);
    std::string out;
    append_json_string(out, text); // YAML's double quotes take all of JSON's escapes
    for (auto at = out.find("${"); at != std::string::npos; at = out.find("${", at + 3)) out.insert(at, "$");
    return out;
}

class printer {
public:
    explicit printer(std::string& out, std::size_t indent = 0, layout how = layout::lines)
        : out_(out),
          indent_(indent),
          how_(how) {}

    void flag(const key& of, bool value) { line(of.name, value ? "true" : "false"); }
    void file_mode(const key& of, unsigned value) { line(of.name, "\"" + print_file_mode(value) + "\""); }
    void renamed(std::string_view, std::string_view) {}
    void dropped(std::string_view, std::string_view) {}
    void number(const key& of, double value, range<double>) { line(of.name, print_number(value)); }
    void size(const key& of, std::size_t value, range<std::uint64_t>) { line(of.name, print_size(value)); }
    void duration(const key& of, milliseconds value, range<milliseconds>) { line(of.name, print_duration(value)); }

    template <std::integral T>
    void count(const key& of, T value, range<std::uint64_t>, automatic zero = automatic::no) {
        line(of.name, zero == automatic::yes && value == 0 ? "auto" : std::to_string(value));
    }
    void address(const key& of, const endpoint& value, port_zero) {
        const auto text = print_endpoint(value);
        line(of.name, text.starts_with('[') || !value.path.empty() ? quoted_if_needed(text, how_) : text);
    }
    void address_or_off(const key& of, const std::optional<endpoint>& value, port_zero zero) {
        value ? address(of, *value, zero) : line(of.name, "off");
    }
    void text(const key& of, std::string_view value, const text_form&, presence needed = presence::shown) {
        if (needed != presence::if_set || !value.empty()) line(of.name, quoted_if_needed(value, how_));
    }
    void texts(const key& of, const std::vector<std::string>& values, const text_form&, presence = presence::shown) {
        std::string all = "[";
        for (const auto& value : values)
            all.append(all.size() == 1 ? "" : ", ").append(quoted_if_needed(value, layout::braces));
        line(of.name, all + "]");
    }
    void secret(const key& of, std::string_view value, const text_form&) {
        if (!value.empty()) line(of.name, redacted);
    }
    void url(const key& of, const std::string& value) { // a query may hold a token
        const auto query = value.find('?');
        line(of.name, quoted_if_needed(value.substr(0, query), how_) +
                          (query == std::string::npos ? "" : "?" + std::string(redacted)));
    }

    template <class Enum>
    void word(const key& of, Enum value, words_for<std::type_identity_t<Enum>> words) {
        for (const auto& each : words)
            if (each.meaning == value && each.instead.empty()) line(of.name, each.spelling);
    }

    template <class Values>
    void section(const key& of, Values& values) {
        section(of, [&values](printer& inner) { keys(inner, values); });
    }
    template <std::invocable<printer&> Keys>
    void section(const key& of, const Keys& print_keys) {
        out_.append(indent_, ' ').append(of.name).append(":\n");
        printer inner(out_, indent_ + 2);
        print_keys(inner);
    }

    template <class Item>
    void list(const key& of, std::vector<Item>& items, std::size_t = 0) {
        if (items.empty()) return line(of.name, "[]");
        out_.append(indent_, ' ').append(of.name).append(":\n");
        for (auto& item : items) {
            const auto begins = out_.size();
            printer inner(out_, indent_ + 4);
            keys(inner, item);
            out_[begins + indent_ + 2] = '-';
        }
    }

    template <class... Alternatives, class... Names>
    void alternatives(std::variant<Alternatives...>& value, Names... names) {
        const std::array<std::string_view, sizeof...(Names)> all{names.name...};
        std::string inside;
        printer braces(inside, 0, layout::braces);
        std::visit([&braces](auto& chosen) { keys(braces, chosen); }, value);
        line(all[value.index()], "{" + inside + "}");
    }

private:
    void line(std::string_view name, std::string_view value) {
        if (how_ == layout::braces)
            out_.append(out_.empty() ? "" : ", ").append(name).append(": ").append(value);
        else
            out_.append(indent_, ' ').append(name).append(": ").append(value).append("\n");
    }

    std::string& out_;
    std::size_t indent_;
    layout how_;
};

} // namespace

std::string print_config(const config& values) {
    std::string out;
    printer all(out);
    auto copy = values; // the list of keys is also the reader's, who writes
    keys(all, copy);
    return out;
}

std::string print_rules(std::vector<rule> rules) {
    std::string out;
    printer(out).list({"rules", ""}, rules);
    return out;
}

} // namespace sidecar
