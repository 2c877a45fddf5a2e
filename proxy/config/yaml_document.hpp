// YAML text as a tree that knows where everything stands. The only part that knows yaml-cpp. Only what a configuration
// needs is taken: one document, no anchors or tags (an alias is left for the reader to refuse); bounded in size and
// depth.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {

struct place {      // from 1, as editors count
    int option = 0; // its number, where it came by --set and not by the file
    int line = 1;
    int column = 1;
    friend auto operator<=>(const place&, const place&) = default;
};

struct yaml_node {
    enum class kind : unsigned char {
        nothing,
        alias,
        scalar,
        sequence,
        map,
        unusable
    }; // the last: was complained about

    kind is = kind::nothing;
    bool quoted = false;         // a scalar in quotes or as a block: text, whatever it looks like
    place where;                 // of nothing that is a map's value: where its key is
    std::string text;            // of a scalar
    std::vector<yaml_node> keys; // of a map, one for each item; duplicates as they came
    std::vector<yaml_node> items;
};

// Where and what is wrong.
struct complaint {
    place where;
    std::string message;
};

struct yaml_document {
    yaml_node root;
    std::vector<complaint> complaints;
    bool whole = true; // else reading ended at the last complaint
};

yaml_document parse_yaml(std::string_view text);

} // namespace sidecar
