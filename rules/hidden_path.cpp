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

// Takes a part and the separator behind it off the path: decoded, in lower case, without parameters, and no more of it
// than `length_max`, so that a short one needs no memory however long the path is.
std::string take_part(std::string_view& path, bool encoded_separates, std::size_t length_max) {
    std::string part;
    bool in_parameters = false;
    while (!path.empty()) {
        const auto byte = decode_deeply(path, 0);
        path.remove_prefix(byte.length);
        if (byte.value == '/' && (byte.length == 1 || encoded_separates)) break;
        if (byte.value == '\\' && encoded_separates) break;
        in_parameters = in_parameters || byte.value == ';';
        if (!in_parameters && !is_ignored(byte.value) && part.size() < length_max) part += ascii_lower(byte.value);
    }
    return part;
}

} // namespace

hidden_path::hidden_path(std::string_view path) {
    while (!path.empty())
        if (auto part = take_part(path, false, path.size()); !part.empty()) words_.push_back(std::move(part));
    if (words_.empty()) return;
    auto& last = words_.back();
    if (const auto dot = last.rfind('.'); dot != last.npos && dot != 0) last.erase(dot);
}

bool hidden_path::covers(std::string_view path) const {
    // Nearly every path can be read in one way only, and is taken for each request: four fast searches.
    const bool escaped = has(path, '%') || has(path, '\\');
    if (!escaped && !has(path, '.') && !has(path, ';')) return covers_plain(path);
    for (const bool encoded_separates : {false, escaped})
        for (const bool dots_resolved : {false, true})
            if (covers(path, encoded_separates, dots_resolved)) return true;
    return false;
}

bool hidden_path::covers_plain(std::string_view path) const noexcept {
    path_parts parts(path);
    return std::all_of(words_.begin(), words_.end(), [&](const auto& word) { return iequals(parts.next(), word); }) &&
           parts.next().empty();
}

bool hidden_path::covers(std::string_view path, bool encoded_separates, bool dots_resolved) const {
    std::size_t depth = 0;   // parts that stand
    std::size_t covered = 0; // of those, from the first: words_
    while (!path.empty()) {
        const auto word = depth < words_.size() ? std::string_view(words_[depth]) : std::string_view{};
        const auto part = take_part(path, encoded_separates, std::max<std::size_t>(word.size() + 1, 3)); // `..` and one
        if (part.empty() || (dots_resolved && part == ".")) continue;
        if (dots_resolved && part == "..") {
            depth -= depth == 0 ? 0 : 1;
            covered = std::min(covered, depth);
            continue;
        }
        const bool has_suffix = depth + 1 == words_.size() && part.size() > word.size() && part[word.size()] == '.';
        if (covered == depth && part.starts_with(word) && (part.size() == word.size() || has_suffix)) ++covered;
        ++depth;
        if (covered < depth && !dots_resolved) return false;
    }
    return depth == words_.size() && covered == depth;
}

} // namespace sidecar
