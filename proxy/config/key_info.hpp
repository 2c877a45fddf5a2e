// The list of keys as a tree of what is known about each: what the schema, the reference and the shipped file are
// made from.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sidecar {

struct key_info {
    enum class shape : std::uint8_t { value, section, list }; // a list's items have the keys `inside`

    std::string name;
    std::string about;
    shape is = shape::value;
    bool required = false;
    bool deprecated = false;
    bool one_of = false;       // exactly one of those that say so must be there
    std::string initial;       // the default as YAML; empty: none
    std::string initial_json;  // likewise
    std::string allowed;       // which values it takes, in words
    std::string schema;        // the members of its JSON Schema that say so
    std::size_t items_max = 0; // of a list
    std::vector<key_info> inside;
};

// A section without a name, which holds all.
key_info describe_keys();

} // namespace sidecar
