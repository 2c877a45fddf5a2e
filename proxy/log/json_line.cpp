#include "proxy/log/json_line.hpp"

#include "proxy/json/json_string.hpp"
#include "proxy/json/utf8.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace sidecar {
namespace {

template <class Number>
void append_number(std::string& out, Number value) {
    std::array<char, 32> digits{};
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr);
}

void append_digits(std::string& out, unsigned value, std::size_t width) {
    std::array<char, 10> digits{};
    const auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
    const auto count = static_cast<std::size_t>(end - digits.data());
    out.append(width > count ? width - count : 0, '0').append(digits.data(), count);
}

} // namespace

std::string_view to_string(log_level level) noexcept {
    switch (level) {
    case log_level::debug:
        return "debug";
    case log_level::info:
        return "info";
    case log_level::warn:
        return "warn";
    case log_level::error:
        return "error";
    }
    return "";
}

void append_log_time(std::string& out, std::chrono::system_clock::time_point now) {
    const auto day = std::chrono::floor<std::chrono::days>(now);
    const std::chrono::year_month_day date(day);
    const std::chrono::hh_mm_ss time(std::chrono::floor<std::chrono::milliseconds>(now - day));
    append_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
    append_digits(out += '-', static_cast<unsigned>(date.month()), 2);
    append_digits(out += '-', static_cast<unsigned>(date.day()), 2);
    append_digits(out += 'T', static_cast<unsigned>(time.hours().count()), 2);
    append_digits(out += ':', static_cast<unsigned>(time.minutes().count()), 2);
    append_digits(out += ':', static_cast<unsigned>(time.seconds().count()), 2);
    append_digits(out += '.', static_cast<unsigned>(time.subseconds().count()), 3);
    out += 'Z';
}

void json_line::add_value(std::string_view text, std::size_t bytes_max) {
    const auto kept = utf8_prefix(text, bytes_max);
    append_json_string(line_, kept);
    if (kept.size() == text.size()) return;
    line_.pop_back();
    line_ += "…\"";
}

json_line& json_line::add(std::string_view name, std::uint64_t value) {
    add_name(name);
    append_number(line_, value);
    return *this;
}

json_line& json_line::add(std::string_view name, std::int64_t value) {
    add_name(name);
    append_number(line_, value);
    return *this;
}

json_line& json_line::add(std::string_view name, double value) {
    add_name(name);
    if (std::isfinite(value)) // JSON has no infinity and no NaN
        append_number(line_, value);
    else
        line_ += "null";
    return *this;
}

json_line& json_line::add(std::string_view name, std::chrono::nanoseconds took) {
    // By hand: std::to_chars goes through printf for this.
    const auto micros = static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count() / 1000));
    add(name, micros / 1'000'000);
    std::array<char, 7> fraction{'.', '0', '0', '0', '0', '0', '0'};
    auto rest = micros % 1'000'000;
    for (std::size_t at = fraction.size() - 1; rest != 0; --at, rest /= 10)
        fraction[at] = static_cast<char>('0' + rest % 10);
    line_.append(fraction.data(), fraction.size());
    return *this;
}

std::string_view loggable_target(std::string_view target) noexcept {
    target = target.substr(0, target.find_first_of("?#"));
    if (target.starts_with('/')) return target;
    if (const auto scheme = target.find("://"); scheme != std::string_view::npos) {
        const auto path = target.find('/', scheme + 3);
        return path == std::string_view::npos ? std::string_view("/") : target.substr(path);
    }
    const auto userinfo = target.rfind('@'); // the authority form, or nothing that is known
    return userinfo == std::string_view::npos ? target : target.substr(userinfo + 1);
}

} // namespace sidecar
