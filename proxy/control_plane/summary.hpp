// The figures of the admin page as text, each under a key: the page shows them as it is served, and its script keeps
// them up to date from /summary.json, under the same keys. Pure.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <string>
#include <vector>

namespace sidecar {

struct figure {
    std::string key;
    std::string text;
};

struct figure_table {
    struct row {
        std::string label;
        std::vector<figure> cells;
    };
    std::string key;
    std::vector<std::string> columns; // the first is the label's
    std::vector<row> rows;
};

enum class health : std::uint8_t { good, degraded, bad };

struct summary {
    sidecar::health health = health::good;
    std::vector<figure> figures;
    std::vector<figure_table> tables;
    std::string layout; // which tables and rows there are: another one needs another page
};

summary summarize(const standing&);
std::string summary_json(const standing&);
std::string_view to_string(health) noexcept;

} // namespace sidecar
