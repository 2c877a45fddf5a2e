// Reads JSON text (RFC 8259) front to back, strictly and in place: builds nothing, allocates nothing, and knows at
// which byte it is. It takes what the grammar takes and nothing else. (simdjson's parsers don't fit: the DOM refuses
// integers above 64 bits and numbers above 1e308, which are valid JSON and pass through here unchanged, and needs three
// times the document's size; On-Demand does not validate what it skips. The tests use the DOM as a second opinion.)
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

class json_reader {
public:
    static constexpr std::size_t depth_max = 1024; // arrays and objects within each other; deeper is refused

    // Text that is not UTF-8 (checked here, whole) reads as empty. A byte order mark in front is skipped, as RFC 8259
    // 8.1 allows: who reads the answer may well do the same.
    explicit json_reader(std::string_view text) noexcept;

    // The first byte of the next value, or of what stands in its place; NUL at the end of the text.
    char peek() noexcept;

    // Each takes one whole value, or fails for good.
    bool skip() noexcept;
    std::optional<std::string_view> string() noexcept; // what is between the quotes, escapes as written
    std::optional<bool> boolean() noexcept;

    // `on_member` gets the name as written and takes the value; false ends the reading.
    template <class OnMember>
    bool object(OnMember&& on_member);

    // `on_element` takes the value; false ends the reading.
    template <class OnElement>
    bool array(OnElement&& on_element);

    // Nothing is left but blanks.
    bool at_end() noexcept { return peek() == '\0' && next_ == end_; }

    // Of the next byte to be read; after a failure, of the first that is wrong.
    std::size_t position() const noexcept { return static_cast<std::size_t>(next_ - begin_); }
    bool is_utf8() const noexcept { return utf8_; }

private:
    bool skip_nested() noexcept;
    bool skip_scalar() noexcept;
    bool skip_number() noexcept;
    bool skip_digits() noexcept;
    bool skip_string() noexcept;
    bool skip_escape() noexcept;
    bool skip_word(std::string_view) noexcept;
    std::optional<std::string_view> name() noexcept; // and the colon behind it
    bool open(char bracket) noexcept;
    bool take(char) noexcept; // if it is what comes next

    const char* begin_;
    const char* end_;
    const char* next_;
    std::size_t depth_ = 0;
    bool utf8_ = true;
};

// A string as written, without its escapes. A lone surrogate, which no UTF-8 can hold, becomes U+FFFD.
std::string unescaped(std::string_view written);

// Whether a string as written (a valid one) stands for `plain`.
inline bool spells(std::string_view written, std::string_view plain) {
    if (written == plain) return true;
    return written.find('\\') != written.npos && unescaped(written) == plain;
}

template <class OnMember>
bool json_reader::object(OnMember&& on_member) {
    if (!open('{')) return false;
    if (!take('}')) {
        do {
            const auto member_name = name();
            if (!member_name || !on_member(*member_name)) return false;
        } while (take(','));
        if (!take('}')) return false;
    }
    --depth_;
    return true;
}

template <class OnElement>
bool json_reader::array(OnElement&& on_element) {
    if (!open('[')) return false;
    if (!take(']')) {
        do {
            if (!on_element()) return false;
        } while (take(','));
        if (!take(']')) return false;
    }
    --depth_;
    return true;
}

} // namespace sidecar
