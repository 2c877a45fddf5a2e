// Spellings of a path, for property tests and as a second opinion. Seeded, so that a failure can be seen again.
#pragma once

#include <random>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar::testing {

// The routes of the legacy API as Grape 1.6 in Rails recognises them, said in its own way: Rails normalises the path,
// Grape compiles each route to a regular expression over what is left. (These are the expressions that it prints, with
// plain groups for its named ones.)
class grape_route {
public:
    explicit grape_route(const std::vector<std::string>& words) { // "" is the id
        std::string pattern = "/api/v1";                          // the versioner compares these two as sent
        for (std::size_t i = 0; i < words.size(); ++i) {
            const bool last = i + 1 == words.size();
            pattern += "/" + (!words[i].empty() ? word(words[i]) : last ? last_id : id);
        }
        pattern_ = std::regex(pattern + "(?:" + dot + "[^/?#.]+)?");
    }

    struct match {
        bool found = false;
        std::string id; // as sent
    };
    match match_against(const std::string& path) const {
        std::smatch groups;
        const auto normal = normalised(path);
        if (!std::regex_match(normal, groups, pattern_)) return {};
        return {true, groups.size() > 1 ? groups[1].str() : ""};
    }

private:
    static inline const std::string dot = "(?:\\.|%2e|%2E)";
    static inline const std::string id = "([^/?#.]+)";
    static inline const std::string last_id = "((?:(?!" + dot + "(?:(?!" + dot + ")[^/?#.])+?$)[^/?#.])+)";

    static std::string word(std::string_view text) {
        std::string pattern;
        for (const char c : text) {
            const std::string lower{'%', digit(c >> 4, 'a'), digit(c & 15, 'a')};
            const std::string upper{'%', digit(c >> 4, 'A'), digit(c & 15, 'A')};
            pattern.append("(?:").append(1, c).append("|").append(lower).append("|").append(upper).append(")");
        }
        return pattern;
    }

    static char digit(int value, char ten) { return static_cast<char>(value < 10 ? '0' + value : ten + value - 10); }

    static std::string normalised(const std::string& path) {
        std::string squeezed;
        for (const char c : path)
            if (c != '/' || squeezed.empty() || squeezed.back() != '/') squeezed += c;
        if (squeezed.size() > 1 && squeezed.back() == '/') squeezed.pop_back();
        return squeezed;
    }

    std::regex pattern_;
};

class spellings {
public:
    explicit spellings(std::uint32_t seed) : random_(seed) {}

    // Of the same route, by construction.
    std::string same(const std::vector<std::string>& words) {
        std::string path;
        for (std::size_t i = 0; i < words.size(); ++i) {
            path += slashes();
            path += i < 2 ? words[i] : encoded(words[i]);
        }
        path += pick({"", ".json", ".JSON", "%2ejson", "%2Efoo", ".x;y", ".%2f"});
        path += pick({"", "/", "///"});
        return path;
    }

    // Of whatever route: small changes anywhere.
    std::string any(const std::vector<std::string>& words) {
        auto path = one_in(2) ? same(words) : joined(words);
        for (unsigned changes = below(4); changes != 0; --changes) {
            const auto at = static_cast<std::ptrdiff_t>(below(path.size() + 1));
            const auto piece = pick({"/", "//", ".", "..", "%2e", "%2E", "%2f", "%", "%2", ";", ";x", ".a", "%61", "A",
                                     "\\", "%00", "+", "-"});
            if (one_in(3) && at < static_cast<std::ptrdiff_t>(path.size()))
                path.erase(static_cast<std::size_t>(at), 1 + below(3));
            else
                path.insert(static_cast<std::size_t>(one_in(2) ? path.size() : static_cast<std::size_t>(at)), piece);
        }
        return path.empty() || path.front() != '/' ? "/" + path : path;
    }

    unsigned below(std::size_t n) { return static_cast<unsigned>(random_() % n); }
    bool one_in(unsigned n) { return below(n) == 0; }

private:
    std::string pick(std::initializer_list<std::string> from) { return *(from.begin() + below(from.size())); }
    std::string slashes() { return std::string(one_in(4) ? 1 + below(3) : 1, '/'); }

    std::string encoded(const std::string& word) {
        const auto digits = one_in(2) ? "0123456789abcdef" : "0123456789ABCDEF";
        const auto rarely = 1 + below(8);
        std::string text;
        for (const char c : word) {
            if (one_in(rarely + 1))
                text.append({'%', digits[c >> 4], digits[c & 15]});
            else
                text += c;
        }
        return text;
    }

    static std::string joined(const std::vector<std::string>& words) {
        std::string path;
        for (const auto& one : words) path += "/" + one;
        return path;
    }

    std::mt19937 random_;
};

} // namespace sidecar::testing
