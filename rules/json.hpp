// Reading JSON with simdjson, and what it does not say by itself.
#pragma once

#include "sidecar/json_text.hpp"

#include <simdjson.h>

#include <cstddef>
#include <optional>
#include <string_view>

namespace sidecar {

static_assert(json_padding >= simdjson::SIMDJSON_PADDING);

inline constexpr std::size_t json_depth_max = 1024; // arrays and objects within each other; deeper is refused

// A text that simdjson may read behind: itself, where it has the room, else a copy. A byte order mark in front is left
// out, as RFC 8259 8.1 allows: who reads the response may well do the same.
class padded_json {
    static constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

public:
    explicit padded_json(const json_text&);

    simdjson::padded_string_view view() const noexcept {
        return simdjson::padded_string_view(text_, text_.size() + json_padding);
    }
    std::size_t offset() const noexcept { return offset_; } // of its first byte in what was given
    // A second mark, which some versions of the parser would leave out as well.
    bool has_two_marks() const noexcept { return text_.starts_with(byte_order_mark); }

private:
    simdjson::padded_string copy_;
    std::string_view text_;
    std::size_t offset_ = 0;
};

// A whole text, validated. Memory for usual sizes is kept by the thread, so that only one of these may be in use.
class whole_json {
public:
    explicit whole_json(const padded_json&);

    simdjson::error_code error() const noexcept { return error_; }
    simdjson::dom::element root() const noexcept { return root_; }

private:
    std::optional<simdjson::dom::parser> own_; // for large texts: its memory goes with it
    simdjson::dom::element root_;
    simdjson::error_code error_;
};

// By the grammar (RFC 8259 6), of whatever size.
bool is_json_number(std::string_view token) noexcept;

} // namespace sidecar
