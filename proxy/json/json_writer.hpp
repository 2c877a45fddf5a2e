// Writes JSON text: commas and escapes are seen to, that it is well-formed otherwise is the caller's part.
#pragma once

#include "proxy/json/json_string.hpp"

#include <charconv>
#include <cmath>
#include <concepts>
#include <string>
#include <string_view>

namespace sidecar {

class json_writer {
public:
    json_writer& open(char bracket) { // { or [
        separate();
        text_ += bracket;
        return *this;
    }
    json_writer& close(char bracket) {
        text_ += bracket;
        return *this;
    }
    json_writer& name(std::string_view name) {
        separate();
        append_json_string(text_, name);
        text_ += ':';
        return *this;
    }
    json_writer& value(std::string_view value) {
        separate();
        append_json_string(text_, value);
        return *this;
    }
    json_writer& value(const char* value) { return this->value(std::string_view(value)); }
    json_writer& value(bool value) { return raw(value ? "true" : "false"); }
    json_writer& value(double value) { // JSON has no infinity and no NaN
        if (!std::isfinite(value)) return raw("null");
        return number(value);
    }
    template <std::integral Integer>
    requires(!std::same_as<Integer, bool>) json_writer& value(Integer value) { return number(value); }
    json_writer& null() { return raw("null"); }

    template <class Value>
    json_writer& member(std::string_view name, const Value& value) {
        return this->name(name).value(value);
    }

    const std::string& text() const noexcept { return text_; }

private:
    void separate() {
        if (!text_.empty() && text_.back() != '{' && text_.back() != '[' && text_.back() != ':') text_ += ',';
    }
    json_writer& raw(std::string_view value) {
        separate();
        text_ += value;
        return *this;
    }
    template <class Number>
    json_writer& number(Number value) {
        char digits[32];
        const auto end = std::to_chars(digits, digits + sizeof digits, value).ptr;
        return raw(std::string_view(digits, static_cast<std::size_t>(end - digits)));
    }

    std::string text_;
};

} // namespace sidecar
