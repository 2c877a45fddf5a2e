#include "rules/json.hpp"

#include <new>

namespace sidecar {

padded_json::padded_json(const json_text& given) : text_(given.text) {
    if (text_.starts_with(byte_order_mark)) offset_ = byte_order_mark.size();
    text_.remove_prefix(offset_);
    if (given.room >= json_padding) return;
    copy_ = simdjson::padded_string(text_);
    if (copy_.size() != text_.size()) throw std::bad_alloc();
    text_ = {copy_.data(), copy_.size()};
}

whole_json::whole_json(const padded_json& json) {
    constexpr std::size_t kept_text_bytes_max = 64 * 1024; // a parser's memory is some 14 times that
    thread_local simdjson::dom::parser kept;
    const auto text = json.view();
    auto& parser = text.size() <= kept_text_bytes_max ? kept : own_.emplace();
    error_ = json.has_two_marks() ? simdjson::TAPE_ERROR : parser.parse(text.data(), text.size(), false).get(root_);
}

bool is_json_number(std::string_view token) noexcept {
    const auto take = [&token](std::string_view one_of) {
        const bool is_there = !token.empty() && one_of.find(token.front()) != one_of.npos;
        token.remove_prefix(is_there ? 1 : 0);
        return is_there;
    };
    const auto take_digits = [&take] {
        const bool any = take("0123456789");
        while (take("0123456789")) {
        }
        return any;
    };
    take("-");
    if (!take("0") && !take_digits()) return false;
    if (take(".") && !take_digits()) return false;
    if (take("eE")) {
        take("+-");
        if (!take_digits()) return false;
    }
    return token.empty();
}

} // namespace sidecar
