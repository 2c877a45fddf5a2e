// One line of the log in the making: a JSON object, written member by member into memory that is used again. Text of
// others' is cut and escaped here and nowhere else, so that no line is longer than its members allow.
#pragma once

#include "sidecar/config.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace sidecar {

std::string_view to_string(log_level) noexcept;

// RFC 3339 in UTC, to the millisecond: 2026-01-01T00:00:00.000Z
void append_log_time(std::string& out, std::chrono::system_clock::time_point);

class json_line {
public:
    static constexpr std::size_t text_bytes_max = 256;

    // Names are literals of ours: they are not escaped. `time` is such as append_log_time() makes.
    json_line(std::string& memory, std::string_view time, log_level level, std::string_view message) : line_(memory) {
        line_.assign(R"({"time":")").append(time).append(R"(","level":")").append(to_string(level));
        line_.append(R"(","msg":)");
        add_value(message, text_bytes_max);
    }

    // Text of others': cut at `bytes_max`, never within a character (… then stands at its end), and escaped: quotes,
    // controls, format characters, bytes that are no UTF-8.
    json_line& add(std::string_view name, std::string_view text, std::size_t bytes_max = text_bytes_max) {
        add_name(name);
        add_value(text, bytes_max);
        return *this;
    }
    json_line& add(std::string_view name, const char* text) { return add(name, std::string_view(text)); }

    // Words of ours, which need no escape.
    json_line& add_word(std::string_view name, std::string_view word) {
        add_name(name);
        line_.append(1, '"').append(word).append(1, '"');
        return *this;
    }

    json_line& add(std::string_view name, bool value) {
        add_name(name);
        line_ += value ? "true" : "false";
        return *this;
    }
    json_line& add(std::string_view name, std::uint64_t value);
    json_line& add(std::string_view name, std::int64_t value);
    json_line& add(std::string_view name, int value) { return add(name, static_cast<std::int64_t>(value)); }
    json_line& add(std::string_view name, double value);                  // null if it is not finite
    json_line& add(std::string_view name, std::chrono::nanoseconds took); // seconds, to the microsecond

    // The whole line with its end; nothing is added after that.
    std::string_view end() {
        line_ += "}\n";
        return line_;
    }

private:
    void add_name(std::string_view name) { line_.append(",\"").append(name).append("\":"); }
    void add_value(std::string_view text, std::size_t bytes_max);

    std::string& line_;
};

// What of a request-target may be logged: the path. Not the query, which may hold ids and tokens, and not the
// authority of the absolute form, which may hold a password (RFC 3986 3.2.1).
std::string_view loggable_target(std::string_view target) noexcept;

} // namespace sidecar
