// Finds where `info` goes in, once the whole body has been validated; no byte of it is changed or moved.
#include "sidecar/augment.hpp"

#include "rules/json.hpp"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <system_error>

namespace sidecar {
namespace {

namespace dom = simdjson::dom;
namespace ondemand = simdjson::ondemand;

bool is_too_large(std::string_view number) {
    const bool is_integer = number.find_first_of(".eE") == number.npos;
    const auto fits = [number](auto value) {
        return std::from_chars(number.data(), number.data() + number.size(), value).ec == std::errc();
    };
    return is_integer ? !fits(std::int64_t{}) && !fits(std::uint64_t{}) : !fits(double{});
}

// What the parser refuses as a number may be one by the grammar, and too large for it alone. (Some versions call other
// rubbish a number, too.)
bool is_only_a_number_too_large(std::string_view json) {
    constexpr std::string_view ends = ",]} \t\r\n";
    bool any_too_large = false;
    for (std::size_t at = 0; at < json.size(); ++at) {
        const char c = json[at];
        if (c == '"') {
            for (++at; at < json.size() && json[at] != '"'; ++at)
                if (json[at] == '\\') ++at;
        } else if (c == '-' || (c >= '0' && c <= '9')) {
            const auto end = std::min(json.find_first_of(ends, at), json.size());
            const auto number = json.substr(at, end - at);
            if (!is_json_number(number)) return false;
            any_too_large = any_too_large || is_too_large(number);
            at = end - 1;
        }
    }
    return any_too_large;
}

// Later versions of the parser have a word of its own for an integer that is too large.
template <class Error>
bool is_about_a_number(Error error) {
    if constexpr (requires { Error::BIGINT_ERROR; })
        if (error == Error::BIGINT_ERROR) return true;
    return error == Error::NUMBER_ERROR;
}

not_augmented why_not(simdjson::error_code error, std::string_view json) {
    if (error == simdjson::DEPTH_ERROR) return not_augmented::too_deep;
    if (error == simdjson::MEMALLOC) return not_augmented::no_room;
    if (is_about_a_number(error) && is_only_a_number_too_large(json)) return not_augmented::number_out_of_range;
    return not_augmented::invalid_json;
}

// The value of the last member of this name, which is the one that readers see.
std::optional<dom::element> last(const dom::object& object, std::string_view name) {
    std::optional<dom::element> found;
    for (const auto [key, value] : object)
        if (key == name) found = value;
    return found;
}

// Where the object that is the last `info` ends. The DOM knows no places; all is valid by now, so no error can come.
std::size_t end_of_info(simdjson::padded_string_view json) {
    ondemand::parser parser;
    auto document = parser.iterate(json);
    std::string_view raw;
    auto object = document.get_object().value_unsafe(); // named: a loop over a part of a temporary would outlive it
    for (auto member : object) {
        const bool is_info = member.unescaped_key().value_unsafe() == "info";
        ondemand::object info;
        if (is_info && member.value().get_object().get(info) == simdjson::SUCCESS) raw = info.raw_json().value_unsafe();
    }
    return static_cast<std::size_t>(raw.data() - json.data()) + raw.rfind('}');
}

// A further member of the object, to go before its closing brace.
insertion member(const dom::object& of, std::size_t brace, std::string_view before, std::string_view consistency,
                 std::string_view after) {
    insertion made{brace, {}};
    made.text.reserve(192);
    if (of.size() != 0) made.text += ',';
    made.text.append(before).append(consistency).append(after);
    return made;
}

} // namespace

boost::system::result<insertion, not_augmented> plan_insertion(const json_text& body, std::string_view consistency) {
    const padded_json json(body);
    const whole_json whole(json);
    if (whole.error() != simdjson::SUCCESS) return why_not(whole.error(), json.view());
    dom::object object;
    if (whole.root().get(object) != simdjson::SUCCESS) return not_augmented::not_an_object;

    const auto info = last(object, "info");
    if (!info) // the last brace is the object's, for what follows can only be blanks
        return member(object, body.text.rfind('}'), R"("info":{"resource_consistency":)", consistency, "}");
    dom::object own;
    if (info->get(own) != simdjson::SUCCESS || last(own, "resource_consistency"))
        return not_augmented::backends_own_word;
    return member(own, json.offset() + end_of_info(json.view()), R"("resource_consistency":)", consistency, "");
}

} // namespace sidecar
