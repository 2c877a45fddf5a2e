// docs/operating.md lists every metric: written here from what is exposed, by `./dev docs` (SIDECAR_WRITE_DOCS=1).
#include "proxy/control_plane/exposition.hpp"
#include "tests/proxy/standings.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <sstream>
#include <vector>

namespace metrics_reference_test {

using namespace sidecar;
using namespace sidecar::testing;

constexpr const char* document = SIDECAR_OPERATING_MD;
const std::string begin = "<!-- metrics: written by ./dev docs -->\n", end = "<!-- metrics: end -->\n";

struct described {
    std::string name, help, type;
    std::map<std::string, std::vector<std::string>> labels; // with the values that they have
};

// Labels whose values are the configuration's or the build's.
bool is_open(const std::string& label) {
    return label == "rule" || label == "collection" || label == "member" || label == "version" || label == "compiler" ||
           label == "le" || label == "revision";
}

std::vector<described> read(const std::string& exposed) {
    std::vector<described> all;
    std::istringstream lines(exposed);
    const std::regex pair(R"re((\w+)="([^"]*)")re");
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash, what, name;
        if (line.starts_with("# HELP ")) {
            words >> hash >> what >> name >> std::ws;
            all.push_back({name, {}, {}, {}});
            std::getline(words, all.back().help);
        } else if (line.starts_with("# TYPE ")) {
            words >> hash >> what >> name >> all.back().type;
        } else {
            for (std::sregex_iterator each(line.begin(), line.end(), pair), none; each != none; ++each) {
                auto& values = all.back().labels[(*each)[1]];
                if (std::find(values.begin(), values.end(), (*each)[2]) == values.end()) values.push_back((*each)[2]);
            }
        }
    }
    return all;
}

std::string label_words(const described& of) {
    std::string text;
    for (const auto& [label, values] : of.labels) {
        if (label == "le") continue;
        text += (text.empty() ? "`" : "; `") + label + "`";
        if (is_open(label)) continue;
        text += ":";
        for (const auto& value : values) text += " " + value + (value == values.back() ? "" : ",");
    }
    return text;
}

std::string reference() {
    made_standing made;
    made.polled(one_of_each);
    std::string text = "| Metric | Kind | Labels | |\n| --- | --- | --- | --- |\n";
    for (const auto& each : read(exposition(made.now)))
        text += "| `" + each.name + "` | " + each.type + " | " + label_words(each) + " | " + each.help + " |\n";
    return text;
}

TEST_CASE("docs/operating.md lists every metric with its labels") {
    std::ifstream file(document);
    std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    const auto from = text.find(begin), to = text.find(end);
    REQUIRE(from != std::string::npos);
    REQUIRE(to != std::string::npos);
    const auto written = begin + "\n" + reference() + "\n";
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nobody sets any
    if (std::getenv("SIDECAR_WRITE_DOCS") != nullptr) {
        text.replace(from, to - from, written);
        std::ofstream(document) << text;
        return;
    }
    CHECK_MESSAGE(text.substr(from, to - from) == written, "./dev docs writes it anew");
}

} // namespace metrics_reference_test
