// Any bytes as an answer's body. What is spliced must be JSON before and after, by simdjson's word too, hold the member
// and give the original back when the inserted bytes are taken out; what is refused as invalid must be invalid.
#include "sidecar/augment.hpp"

#include "tests/rules/second_opinion.hpp"

#include <cstdio>
#include <cstdlib>

using sidecar::testing::second_opinion;
using sidecar::testing::verdict;

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
    const std::string_view body(reinterpret_cast<const char*>(data), size);
    static simdjson::dom::parser parser;
    const auto planned = sidecar::plan_insertion(body, consistency);
    const auto opinion = second_opinion(parser, body).said;
    if (!planned) {
        if (planned.error() == sidecar::not_augmented::invalid_json)
            require(opinion != verdict::valid, "what is refused as invalid is invalid");
        else
            require(opinion != verdict::invalid, "what is taken for JSON is JSON");
        return 0;
    }
    require(opinion != verdict::invalid, "what is spliced was JSON");

    std::string text(body);
    text.insert(planned->at, planned->text);
    require(sidecar::plan_insertion(text, "1").error() == sidecar::not_augmented::backends_own_word,
            "the member is found again");
    if (opinion == verdict::valid) {
        const auto after = second_opinion(parser, text);
        require(after.said == verdict::valid, "what was spliced is JSON");
        require(holds_member(after.root), "the member is there");
    }
    text.erase(planned->at, planned->text.size());
    require(text == body, "every other byte stays");
    return 0;
}
