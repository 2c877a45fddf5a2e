// What a rule may see of a request: views into the bytes as they came. Valid while the reader's buffer stands.
#pragma once

#include <span>
#include <string_view>

namespace sidecar {

// ASCII only, as HTTP field names are (RFC 9110 5.1).
constexpr char ascii_lower(char c) noexcept { return (c >= 'A' && c <= 'Z') ? static_cast<char>(c | 0x20) : c; }

constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
    if (a.size() != b.size()) return false;
    for (std::size_t i = 0; i < a.size(); ++i)
        if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
    return true;
}

struct field_line {
    std::string_view name;  // in the sender's case
    std::string_view value; // without the blanks around it
    std::string_view line;  // the whole line as it came, CRLF included
};

struct request_view {
    std::string_view method;            // case-sensitive
    std::string_view target;            // origin-form as sent: path and query, nothing decoded
    std::span<const field_line> fields; // in the order sent
    // Names of fields that Connection ends here (RFC 9110 7.6.1): the backend will not see them, so no rule may count
    // on them.
    std::span<const std::string_view> nominated = {};

    bool reaches_backend(const field_line& field) const noexcept {
        for (const auto name : nominated)
            if (iequals(field.name, name)) return false;
        return true;
    }

    // The first field of this name that the backend will see, or nullptr.
    const field_line* find(std::string_view name) const noexcept {
        for (const auto& field : fields)
            if (iequals(field.name, name) && reaches_backend(field)) return &field;
        return nullptr;
    }
};

} // namespace sidecar
