// Whether a text is JSON, production by production of RFC 8259, for an independent opinion: slow, plain, and by
// recursion. It says besides what in a valid text is beyond simdjson, which then refuses it.
#pragma once

#include <simdjson.h>

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar::testing {

struct json_facts {
    bool large_number = false;   // beyond 64 bits or 1.8e308
    bool lone_surrogate = false; // an escape that no UTF-8 can hold
    std::size_t depth = 0;       // arrays and objects within each other

    bool within_simdjson() const { return !large_number && !lone_surrogate && depth <= 1024; }
};

class json_grammar {
public:
    // nullopt: no JSON. A byte order mark in front is passed over; so deep that it could not be followed is no JSON.
    static std::optional<json_facts> read(std::string_view text) {
        if (!simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
        if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
        json_grammar reader(text);
        reader.blanks();
        if (!reader.value(1)) return std::nullopt;
        reader.blanks();
        return reader.text_.empty() ? std::optional(reader.facts_) : std::nullopt;
    }

private:
    explicit json_grammar(std::string_view text) : text_(text) {}

    bool take(char c) {
        if (text_.empty() || text_.front() != c) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool take_any(std::string_view of) {
        if (text_.empty() || of.find(text_.front()) == of.npos) return false;
        text_.remove_prefix(1);
        return true;
    }
    bool take_word(std::string_view word) {
        if (!text_.starts_with(word)) return false;
        text_.remove_prefix(word.size());
        return true;
    }
    void blanks() {
        while (take_any(" \t\n\r")) {
        }
    }

    bool value(std::size_t depth) {
        if (text_.starts_with('{')) return nested(depth, '{', '}', true);
        if (text_.starts_with('[')) return nested(depth, '[', ']', false);
        if (text_.starts_with('"')) return string();
        return take_word("true") || take_word("false") || take_word("null") || number();
    }

    bool nested(std::size_t depth, char open, char close, bool named) {
        constexpr std::size_t followed = 3000;
        if (depth > followed) return false;
        facts_.depth = std::max(facts_.depth, depth);
        take(open);
        blanks();
        if (take(close)) return true;
        do {
            blanks();
            if (named) {
                if (!string()) return false;
                blanks();
                if (!take(':')) return false;
                blanks();
            }
            if (!value(depth + 1)) return false;
            blanks();
        } while (take(','));
        return take(close);
    }

    bool digits() {
        if (!take_any("0123456789")) return false;
        while (take_any("0123456789")) {
        }
        return true;
    }

    bool number() {
        const auto whole = text_;
        take('-');
        if (!take('0') && !digits()) return false;
        bool is_integer = true;
        if (take('.')) {
            is_integer = false;
            if (!digits()) return false;
        }
        if (take_any("eE")) {
            is_integer = false;
            take_any("+-");
            if (!digits()) return false;
        }
        judge(std::string(whole.substr(0, whole.size() - text_.size())), is_integer);
        return true;
    }

    void judge(const std::string& number, bool is_integer) {
        errno = 0;
        if (!is_integer)
            facts_.large_number = facts_.large_number || std::isinf(std::strtod(number.c_str(), nullptr));
        else if (number.front() == '-')
            std::strtoll(number.c_str(), nullptr, 10);
        else
            std::strtoull(number.c_str(), nullptr, 10);
        facts_.large_number = facts_.large_number || (is_integer && errno == ERANGE);
    }

    bool string() {
        if (!take('"')) return false;
        bool high_before = false; // a high surrogate that waits for its other half
        while (!take('"')) {
            if (text_.empty() || static_cast<unsigned char>(text_.front()) < 0x20) return false;
            unsigned unit = 0;
            if (!take('\\'))
                text_.remove_prefix(1);
            else if (take('u')) {
                if (!hex4(unit)) return false;
            } else if (!take_any("\"\\/bfnrt")) {
                return false;
            }
            const bool high = unit >= 0xD800 && unit < 0xDC00, low = unit >= 0xDC00 && unit < 0xE000;
            facts_.lone_surrogate = facts_.lone_surrogate || high_before != low;
            high_before = high;
        }
        facts_.lone_surrogate = facts_.lone_surrogate || high_before;
        return true;
    }

    bool hex4(unsigned& unit) {
        for (int i = 0; i < 4; ++i) {
            constexpr std::string_view digits = "0123456789abcdefABCDEF";
            const auto at = text_.empty() ? digits.npos : digits.find(text_.front());
            if (at == digits.npos) return false;
            unit = unit * 16 + static_cast<unsigned>(at < 16 ? at : at - 6);
            text_.remove_prefix(1);
        }
        return true;
    }

    std::string_view text_;
    json_facts facts_;
};

} // namespace sidecar::testing
