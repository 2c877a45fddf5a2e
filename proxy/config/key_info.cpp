#include "proxy/config/key_info.hpp"

#include "proxy/config/config_keys.hpp"
#include "proxy/json/json_string.hpp"

#include <concepts>
#include <type_traits>
#include <utility>
#include <variant>

namespace sidecar {
namespace {

std::string as_json(std::string_view text) {
    std::string out;
    append_json_string(out, text);
    return out;
}

// What a value may be, or a text that becomes one when its variables are put in.
std::string or_variable(const std::string& schemas) {
    return "\"anyOf\":[" + schemas + ",{\"$ref\":\"#/$defs/variable\"}]";
}

std::string pattern(std::string_view of_value) {
    return "\"pattern\":" + as_json(std::string(of_value).append("|\\$\\{"));
}

std::string quantity(std::string_view of_value) { return "\"type\":\"string\"," + pattern(of_value); }

// Takes the defaults from what it visits.
class describer {
public:
    explicit describer(key_info& into) : into_(into) {}

    void flag(const key& of, bool value) {
        const std::string word = value ? "true" : "false";
        add(of, word, word, "true or false", or_variable("{\"type\":\"boolean\"}"));
    }
    void file_mode(const key& of, unsigned value) {
        const auto text = "\"" + print_file_mode(value) + "\"";
        add(of, text, text, "octal digits in quotes", quantity("^[0-7]{3,4}$"));
    }
    void number(const key& of, double value, range<double> allowed) {
        const auto text = print_number(value), least = print_number(allowed.least), most = print_number(allowed.most);
        add(of, text, text, least + " to " + most,
            or_variable("{\"type\":\"number\",\"minimum\":" + least + ",\"maximum\":" + most + "}"));
    }
    void size(const key& of, std::size_t value, range<std::uint64_t> allowed) {
        add(of, print_size(value), as_json(print_size(value)),
            print_size(allowed.least) + " to " + print_size(allowed.most), quantity("^[0-9]+(B|KiB|MiB|GiB)$"));
    }
    void duration(const key& of, milliseconds value, range<milliseconds> allowed) {
        add(of, print_duration(value), as_json(print_duration(value)),
            print_duration(allowed.least) + " to " + print_duration(allowed.most), quantity("^[0-9]+(ms|s|m|h)$"));
    }
    template <std::integral T>
    void count(const key& of, T value, range<std::uint64_t> allowed, automatic zero = automatic::no) {
        const bool has_auto = zero == automatic::yes;
        const auto least = std::to_string(allowed.least), most = std::to_string(allowed.most);
        const auto number = "{\"type\":\"integer\",\"minimum\":" + least + ",\"maximum\":" + most + "}";
        const bool is_auto = has_auto && value == 0;
        add(of, is_auto ? "auto" : std::to_string(value), is_auto ? "\"auto\"" : std::to_string(value),
            least + " to " + most + (has_auto ? ", or auto" : ""),
            or_variable(number + (has_auto ? ",{\"const\":\"auto\"}" : "")));
    }
    void address(const key& of, const endpoint& value, port_zero) {
        add(of, print_endpoint(value), as_json(print_endpoint(value)), "HOST:PORT or unix:/PATH",
            quantity("^(unix:/.+|.+:[0-9]+)$"));
    }
    void address_or_off(const key& of, const std::optional<endpoint>& value, port_zero) {
        const auto text = value ? print_endpoint(*value) : std::string("off");
        add(of, text, as_json(text), "HOST:PORT or off", quantity("^(off|.+:[0-9]+)$"));
    }
    void text(const key& of, const std::string& value, const text_form& form, presence needed = presence::shown) {
        const bool has_default = needed == presence::shown;
        auto& added = add(of,
                          !has_default    ? ""
                          : value.empty() ? "\"\""
                                          : value,
                          has_default ? as_json(value) : "", std::string(form.words),
                          "\"type\":[\"string\",\"number\",\"boolean\"]," + pattern(form.pattern));
        added.required = needed == presence::required;
    }
    void url(const key& of, const std::string& value) { text(of, value, url_text); }
    void secret(const key& of, const std::string& value, const text_form& form) {
        text(of, value, form, presence::if_set);
    }
    void texts(const key& of, const std::vector<std::string>& values, const text_form& form,
               presence needed = presence::shown) {
        const bool required = needed == presence::required;
        std::string yaml, json;
        for (const auto& each : values) {
            const bool plain = each.find_first_not_of("abcdefghijklmnopqrstuvwxyz-_") == std::string::npos;
            yaml.append(yaml.empty() ? "" : ", ").append(plain ? each : as_json(each));
            json.append(json.empty() ? "" : ",").append(as_json(each));
        }
        auto& added = add(of, required ? "" : "[" + yaml + "]", required ? "" : "[" + json + "]",
                          "a list: " + std::string(form.words),
                          "\"type\":\"array\",\"uniqueItems\":true,\"maxItems\":" + std::to_string(list_items_max) +
                              (required ? ",\"minItems\":1" : "") + ",\"items\":{\"type\":\"string\"," +
                              pattern(form.pattern) + "}");
        added.required = required;
    }
    template <class Enum>
    void word(const key& of, Enum value, words_for<std::type_identity_t<Enum>> words) {
        std::string all, json, initial;
        for (const auto& each : words) {
            if (!each.instead.empty()) continue;
            if (each.meaning == value) initial = each.spelling;
            all.append(all.empty() ? "" : ", ").append(each.spelling);
            json.append(json.empty() ? "" : ",").append(as_json(each.spelling));
        }
        add(of, initial, as_json(initial), all, or_variable("{\"enum\":[" + json + "]}"));
    }

    void renamed(std::string_view before, std::string_view now) {
        add(key{before, "Write " + std::string(now) + "."}, "", "", "", "").deprecated = true;
    }
    void dropped(std::string_view name, std::string_view why) {
        add(key{name, "Does nothing: " + std::string(why) + "."}, "", "", "", "").deprecated = true;
    }

    template <class Values>
    void section(const key& of, Values& values) {
        section(of, [&values](describer& inner) { keys(inner, values); });
    }
    template <std::invocable<describer&> Keys>
    void section(const key& of, const Keys& describe) {
        auto& added = add(of, "", "", "", "");
        added.is = key_info::shape::section;
        describer inner(added);
        describe(inner);
    }
    template <class Item>
    void list(const key& of, const std::vector<Item>&, std::size_t items_max = list_items_max) {
        auto& added = add(of, "[]", "[]", "a list, as below", "");
        added.is = key_info::shape::list;
        added.items_max = items_max;
        describer inner(added);
        Item item{};
        keys(inner, item);
    }
    template <class... Alternatives, class... Names>
    void alternatives(const std::variant<Alternatives...>&, Names... names) {
        (alternative<Alternatives>(names), ...);
    }

private:
    key_info& add(const key& of, std::string initial, std::string json, std::string allowed, std::string schema) {
        auto& added = into_.inside.emplace_back();
        added.name = of.name;
        added.about = of.about;
        added.initial = std::move(initial);
        added.initial_json = std::move(json);
        added.allowed = std::move(allowed);
        added.schema = std::move(schema);
        return added;
    }
    template <class Alternative>
    void alternative(const key& of) {
        Alternative values{};
        section(of, values);
        into_.inside.back().one_of = true;
    }

    key_info& into_;
};

} // namespace

key_info describe_keys() {
    key_info all;
    all.is = key_info::shape::section;
    config defaults;
    describer every(all);
    keys(every, defaults);
    return all;
}

} // namespace sidecar
