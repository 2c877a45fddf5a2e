// Any bytes as a response's body. What is augmented must be JSON before and after, by the grammar's word, hold the
// member and give the original back when the inserted bytes are taken out; what is refused as invalid must be invalid.
#include "sidecar/augment.hpp"

#include "tests/rules/json_grammar.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

using sidecar::testing::json_grammar;

namespace {

constexpr std::string_view consistency = R"({"is_upload_ready":false,"is_download_ready":true})";

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

bool holds_member(simdjson::dom::element body) {
    bool holds = false;
    for (const auto [name, info] : body.get_object()) {
        if (name != "info") continue;
        holds = false;
        if (!info.is_object()) continue;
        for (const auto [inner, value] : info.get_object())
            if (inner == "resource_consistency") holds = simdjson::to_string(value) == consistency;
    }
    return holds;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // The first byte fills what may be read behind the text.
    std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
    const auto text_size = body.size();
    body.append(sidecar::json_padding, static_cast<char>(data[0]));
    const std::string_view given = std::string_view(body).substr(0, text_size);
    const auto planned = sidecar::plan_insertion({given, sidecar::json_padding}, consistency);
    const auto facts = json_grammar::read(given);
    if (!planned) {
        if (planned.error() == sidecar::not_augmented::invalid_json)
            require(!facts || !facts->within_simdjson(), "what is refused as invalid is invalid");
        else if (planned.error() == sidecar::not_augmented::backends_own_word ||
                 planned.error() == sidecar::not_augmented::not_an_object)
            require(facts.has_value(), "what is taken for JSON is JSON");
        return 0;
    }
    require(facts.has_value(), "what is augmented was JSON");

    std::string text(given);
    text.insert(planned->at, planned->text);
    require(sidecar::plan_insertion(text, "1").error() == sidecar::not_augmented::backends_own_word,
            "the member is found again");
    require(json_grammar::read(text).has_value(), "what was augmented is JSON");
    const simdjson::padded_string after(std::string_view(text).substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0));
    static simdjson::dom::parser parser;
    require(holds_member(parser.parse(after).value_unsafe()), "the member is there");
    text.erase(planned->at, planned->text.size());
    require(text == given, "every other byte stays");
    return 0;
}
