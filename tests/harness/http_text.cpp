#include "tests/harness/http_text.hpp"

#include <algorithm>
#include <charconv>

namespace harness {

namespace {

// Calls `each(name, value)` for the lines after the first.
template <class Function>
void for_each_field(std::string_view head, Function each) {
    auto at = head.find("\r\n");
    while (at != std::string_view::npos) {
        const auto begin = at + 2;
        at = head.find("\r\n", begin);
        const auto line = head.substr(begin, at == std::string_view::npos ? 0 : at - begin);
        if (line.empty()) return;
        const auto colon = std::min(line.find(':'), line.size() - 1);
        auto value = line.substr(colon + 1);
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
        while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
        each(line.substr(0, colon), value);
    }
}

std::size_t number(std::string_view digits, int radix) {
    std::size_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value, radix);
    return value;
}

// Calls `each(payload)` for each chunk; the size of the whole body, or nullopt.
template <class Function>
std::optional<std::size_t> for_each_chunk(std::string_view bytes, Function each) {
    std::size_t at = 0;
    while (true) {
        const auto line_end = bytes.find("\r\n", at);
        if (line_end == std::string_view::npos) return {};
        const auto size = number(bytes.substr(at, line_end - at), 16);
        at = line_end + 2;
        if (size == 0) break;
        if (bytes.size() - at < size + 2) return {};
        each(bytes.substr(at, size));
        at += size + 2;
    }
    while (true) {
        const auto line_end = bytes.find("\r\n", at);
        if (line_end == std::string_view::npos) return {};
        const bool last = line_end == at;
        at = line_end + 2;
        if (last) return at;
    }
}

} // namespace

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::optional<std::string> field_of(std::string_view head, std::string_view name) {
    std::optional<std::string> found;
    for_each_field(head, [&](std::string_view each, std::string_view value) {
        if (!found && lower(each) == lower(name)) found = std::string(value);
    });
    return found;
}

std::size_t count_of(std::string_view head, std::string_view name) {
    std::size_t count = 0;
    for_each_field(head,
                   [&](std::string_view each, std::string_view) { count += lower(each) == lower(name) ? 1U : 0U; });
    return count;
}

int status_of(std::string_view head) {
    if (!head.starts_with("HTTP/1.") || head.size() < 12) return 0;
    return static_cast<int>(number(head.substr(9, 3), 10));
}

std::optional<std::size_t> chunked_size(std::string_view bytes) {
    return for_each_chunk(bytes, [](std::string_view) {});
}

std::string unchunked(std::string_view bytes) {
    std::string out;
    for_each_chunk(bytes, [&](std::string_view payload) { out += payload; });
    return out;
}

std::string chunked(std::string_view payload, std::size_t chunk) {
    std::string out;
    while (!payload.empty()) {
        const auto piece = payload.substr(0, chunk);
        char size[16];
        const auto end = std::to_chars(size, size + sizeof size, piece.size(), 16).ptr;
        out.append(size, end).append("\r\n").append(piece).append("\r\n");
        payload.remove_prefix(piece.size());
    }
    return out + "0\r\n\r\n";
}

std::optional<std::size_t> request_size(std::string_view bytes) {
    const auto head_end = bytes.find("\r\n\r\n");
    if (head_end == std::string_view::npos) return {};
    const auto head = bytes.substr(0, head_end + 4);
    if (field_of(head, "Transfer-Encoding")) {
        const auto body = chunked_size(bytes.substr(head.size()));
        return body ? std::optional(head.size() + *body) : std::nullopt;
    }
    const auto length = number(field_of(head, "Content-Length").value_or("0"), 10);
    return bytes.size() - head.size() >= length ? std::optional(head.size() + length) : std::nullopt;
}

} // namespace harness
