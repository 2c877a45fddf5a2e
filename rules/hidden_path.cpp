#include "rules/hidden_path.hpp"

#include "rules/target.hpp"
#include "sidecar/message.hpp"

#include <algorithm>

namespace sidecar {

namespace {

// As decode_at, and once more as long as what was decoded begins an escape again (`%252F`), for there may be two
// decoders in a row.
decoded_byte decode_deeply(std::string_view text, std::size_t at) noexcept {
    auto byte = decode_at(text, at);
    while (byte.value == '%' && byte.length > 1) {
        const auto tail = at + byte.length - 1; // the last digit's place is taken for the decoded `%`
        if (text.size() - tail < 3) break;
        const char escape[3] = {'%', text[tail + 1], text[tail + 2]};
        const auto inner = decode_at({escape, 3}, 0);
        if (inner.length == 1) break;
        byte = {inner.value, byte.length + 2};
    }
    return byte;
}

// Blanks and control bytes, which some decoders trim or drop.
bool is_ignored(char c) noexcept { return (static_cast<unsigned char>(c) <= ' ') | (c == '\x7f'); }

bool has(std::string_view path, char c) noexcept { return path.find(c) != path.npos; }

// One part of a path, compared while it is decoded.
class part_reader {
public:
    explicit part_reader(std::string_view word) noexcept : word_(word) {}

    void take(char c) noexcept {
        if (is_ignored(c) || in_parameters_) return;
        in_parameters_ = c == ';';
        if (in_parameters_) return;
        only_dots_ = only_dots_ && c == '.';
        if (length_ < word_.size())
            same_ = same_ && ascii_lower(c) == word_[length_];
        else if (length_ == word_.size())
            same_ = same_ && c == '.';
        ++length_;
    }

    bool empty() const noexcept { return length_ == 0; }
    bool is_dot() const noexcept { return only_dots_ && length_ == 1; }
    bool is_dot_dot() const noexcept { return only_dots_ && length_ == 2; }
    bool is_word() const noexcept { return same_ && length_ == word_.size(); }
    bool is_word_with_suffix() const noexcept { return same_ && length_ > word_.size(); }

    // Whatever still comes: it is neither the word nor dots.
    bool is_another() const noexcept { return !same_ && !only_dots_; }

private:
    std::string_view word_;
    std::size_t length_ = 0;
    bool same_ = true;
    bool only_dots_ = true;
    bool in_parameters_ = false;
};

bool ends_part(decoded_byte byte, hidden_path::slash as) noexcept {
    if (byte.value == '/') return byte.length == 1 || as == hidden_path::slash::also_encoded;
    return byte.value == '\\' && as == hidden_path::slash::also_encoded;
}

// Returns the place behind the separator.
std::size_t read_part(part_reader& part, std::string_view path, std::size_t at, hidden_path::slash as) noexcept {
    while (at < path.size()) {
        const auto byte = decode_deeply(path, at);
        at += byte.length;
        if (ends_part(byte, as)) break;
        if (!part.is_another()) part.take(byte.value);
    }
    return at;
}

std::string plain_word(std::string_view part) {
    std::string word;
    for (std::size_t at = 0; at < part.size();) {
        const auto byte = decode_deeply(part, at);
        if (byte.value == ';') break;
        if (!is_ignored(byte.value)) word += ascii_lower(byte.value);
        at += byte.length;
    }
    return word;
}

} // namespace

hidden_path::hidden_path(std::string_view path) {
    path_parts parts(path);
    for (auto part = parts.next(); !part.empty(); part = parts.next()) words_.push_back(plain_word(part));
    if (words_.empty()) return;
    auto& last = words_.back();
    if (const auto dot = last.rfind('.'); dot != last.npos && dot != 0) last.erase(dot);
}

bool hidden_path::covers(std::string_view path) const noexcept {
    // Nearly every path can be read in one way only, and is taken for each request: four fast searches.
    const bool escaped = has(path, '%') || has(path, '\\');
    if (!escaped && !has(path, '.') && !has(path, ';')) return covers_plain(path);
    if (covers(path, {slash::plain, dots::resolved}) || covers(path, {slash::plain, dots::names})) return true;
    return escaped &&
           (covers(path, {slash::also_encoded, dots::resolved}) || covers(path, {slash::also_encoded, dots::names}));
}

bool hidden_path::covers_plain(std::string_view path) const noexcept {
    path_parts parts(path);
    return std::all_of(words_.begin(), words_.end(), [&](const auto& word) { return iequals(parts.next(), word); }) &&
           parts.next().empty();
}

bool hidden_path::covers(std::string_view path, reading as) const noexcept {
    const bool resolved = as.dot_parts == dots::resolved;
    std::size_t depth = 0;   // parts that stand
    std::size_t covered = 0; // of those, from the first: words_
    for (std::size_t at = 0; at < path.size();) {
        part_reader part(depth < words_.size() ? std::string_view(words_[depth]) : std::string_view{});
        at = read_part(part, path, at, as.separator);
        if (part.empty() || (resolved && part.is_dot())) continue;
        if (resolved && part.is_dot_dot()) {
            depth -= depth == 0 ? 0 : 1;
            covered = std::min(covered, depth);
            continue;
        }
        const bool goes_on = covered == depth && depth < words_.size();
        if (goes_on && (part.is_word() || (depth + 1 == words_.size() && part.is_word_with_suffix()))) ++covered;
        ++depth;
        if (covered < depth && !resolved) return false;
    }
    return depth == words_.size() && covered == depth;
}

} // namespace sidecar
