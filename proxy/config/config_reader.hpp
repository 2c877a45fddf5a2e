// Reads the values of a YAML tree into the configuration and collects all that is wrong with them, each with its place.
// A key that is wrong keeps its default. Which keys there are is in config_keys.hpp.
#pragma once

#include "proxy/config/config_keys.hpp"
#include "proxy/config/yaml_document.hpp"

#include <concepts>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sidecar {

// What is wrong with one file, and where its keys stand: `status.url`, `rules[2].path`.
class findings {
public:
    void note_place(const std::string& path, place where) { places_.emplace(path, where); }
    void complain(place where, std::string message) { complaints_.push_back({where, std::move(message)}); }
    // The same, and what this path leads to is not sound.
    void complain(place where, const std::string& path, std::string message);
    void mark_wrong(const std::string& path) { wrong_.insert(path); }
    // It is right, and yet not as it should be.
    void warn(place where, std::string message) { warnings_.push_back({where, std::move(message)}); }
    // About what several keys say together; where the first of them stands that is in the file.
    void complain(std::initializer_list<std::string> paths, std::string message);

    // Whether all that was said of this key and of those below it was right (or nothing was).
    bool sound(const std::string& path) const;

    const std::vector<complaint>& complaints() const noexcept { return complaints_; }
    const std::vector<complaint>& warnings() const noexcept { return warnings_; }

private:
    std::vector<complaint> complaints_;
    std::vector<complaint> warnings_;
    std::map<std::string, place> places_;
    std::set<std::string> wrong_;
};

class section_reader {
public:
    // A node that is no map is complained about, and has no keys.
    section_reader(findings&, const yaml_node&, std::string path);

    // After all keys have been asked for: complains about those that nobody asked for.
    void finish();

    void flag(const key& of, bool& into);
    void file_mode(const key& of, unsigned& into);
    void number(const key& of, double& into, range<double>);
    void size(const key& of, std::size_t& into, range<std::uint64_t>);
    void address(const key& of, endpoint& into, port_zero);
    void address_or_off(const key& of, std::optional<endpoint>& into, port_zero);
    void text(const key& of, std::string& into, const text_form& form, presence = presence::shown);
    void texts(const key& of, std::vector<std::string>& into, const text_form& form, presence = presence::shown);
    void url(const key& of, std::string& into) { text(of, into, url_text); }
    void secret(const key& of, std::string& into, const text_form& form) { text(of, into, form); }

    template <class Rep, class Period>
    void duration(const key& of, std::chrono::duration<Rep, Period>& into, range<milliseconds> allowed) {
        using unit = std::chrono::duration<Rep, Period>;
        if (const auto read = read_duration_of(of.name, allowed, std::chrono::duration_cast<milliseconds>(unit(1))))
            into = std::chrono::duration_cast<unit>(*read);
    }

    template <std::integral T>
    void count(const key& of, T& into, range<std::uint64_t> allowed, automatic zero = automatic::no) {
        if (const auto read = read_count_of(of.name, allowed, zero)) into = static_cast<T>(*read);
    }

    template <class Enum>
    void word(const key& of, Enum& into, words_for<std::type_identity_t<Enum>> words) {
        std::vector<known_word> known;
        for (const auto& each : words) known.push_back({each.spelling, each.instead});
        if (const auto chosen = read_word_of(of.name, known)) into = (words.begin() + *chosen)->meaning;
    }

    // The key `now` was called `before`: that is taken, with a warning. Stands before the key.
    void renamed(std::string_view before, std::string_view now);

    // A key that did something once: taken, with a warning that says why it does nothing now.
    void dropped(std::string_view name, std::string_view why);

    template <class Values>
    void section(const key& of, Values& into) {
        section(of, [&into](section_reader& inner) { keys(inner, into); });
    }

    template <std::invocable<section_reader&> Keys>
    void section(const key& of, const Keys& read_keys) {
        const auto* node = take(of.name);
        if (!node) return;
        section_reader inner(*findings_, *node, path_of(of.name));
        read_keys(inner);
        inner.finish();
    }

    template <class Item>
    void list(const key& of, std::vector<Item>& into, std::size_t items_max = list_items_max) {
        const auto* node = take_list(of.name, items_max);
        if (!node) return;
        into.clear();
        for (const auto& item : node->items) {
            section_reader inner(*findings_, item, path_of(of.name) + "[" + std::to_string(into.size()) + "]");
            keys(inner, into.emplace_back());
            inner.finish();
        }
    }

    // Exactly one of the sections must be there; it says which alternative it is.
    template <class... Alternatives, class... Names>
    void alternatives(std::variant<Alternatives...>& into, Names... names) {
        static_assert(sizeof...(Alternatives) == sizeof...(Names));
        if (!has_exactly_one_of({names.name...})) return;
        (read_alternative<Alternatives>(names, into), ...);
    }

private:
    // The value of a key, which from now on counts as known. nullptr: not in the file.
    const yaml_node* take(std::string_view name);
    const yaml_node* take_scalar(std::string_view name, std::string_view expected);
    const yaml_node* take_list(std::string_view name, std::size_t items_max);
    bool has(std::string_view name) const;
    bool has_exactly_one_of(std::initializer_list<std::string_view> names);
    void require(std::string_view name, presence);
    void wrong(std::string_view name, const yaml_node&, const std::string& what);

    std::optional<endpoint> read_address(std::string_view name, const yaml_node&, port_zero);
    std::optional<milliseconds> read_duration_of(std::string_view name, range<milliseconds>, milliseconds granularity);
    std::optional<std::uint64_t> read_count_of(std::string_view name, range<std::uint64_t>, automatic);
    struct known_word {
        std::string_view spelling;
        std::string_view instead;
    };
    std::optional<std::size_t> read_word_of(std::string_view name, const std::vector<known_word>& words);

    template <class Alternative, class Variant>
    void read_alternative(const key& of, Variant& into) {
        if (has(of.name))
            section(of, into.template emplace<Alternative>());
        else
            take(of.name);
    }

    std::string path_of(std::string_view name) const {
        return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
    }

    findings* findings_;
    const yaml_node* node_;
    std::string path_;
    std::vector<std::string_view> known_;   // keys asked for
    std::vector<std::string_view> offered_; // those of them that are not deprecated
    std::map<std::string_view, std::string_view> former_names_;
};

} // namespace sidecar
