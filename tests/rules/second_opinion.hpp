// Whether a text is JSON, by simdjson's word: an independent reader to compare with. It can't be asked about numbers
// beyond its own limits, lone surrogates and very deep nesting, which the grammar allows and it refuses.
#pragma once

#include <simdjson.h>

#include <string_view>

namespace sidecar::testing {

enum class verdict { valid, invalid, cannot_tell };

struct opinion {
    verdict said = verdict::cannot_tell;
    simdjson::dom::element root; // if valid; until the parser is used again
};

inline opinion second_opinion(simdjson::dom::parser& parser, std::string_view text) {
    if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3); // leaves it to its caller
    opinion formed;
    switch (parser.parse(text.data(), text.size()).get(formed.root)) {
    case simdjson::SUCCESS:
        formed.said = verdict::valid;
        break;
    case simdjson::STRING_ERROR:
        if (text.find("\\ud") != text.npos || text.find("\\uD") != text.npos) break;
        [[fallthrough]];
    case simdjson::TAPE_ERROR:
    case simdjson::T_ATOM_ERROR:
    case simdjson::F_ATOM_ERROR:
    case simdjson::N_ATOM_ERROR:
    case simdjson::UTF8_ERROR:
    case simdjson::EMPTY:
    case simdjson::UNESCAPED_CHARS:
    case simdjson::UNCLOSED_STRING:
        formed.said = verdict::invalid;
        break;
    default:
        break;
    }
    return formed;
}

} // namespace sidecar::testing
