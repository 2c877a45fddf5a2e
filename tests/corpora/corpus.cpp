#include "tests/corpora/corpus.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string_view>

namespace corpora {

namespace {

constexpr auto kinds =
    std::to_array<std::string_view>({"request", "response", "chunks", "requests", "responses", "json"});

// `\r \n \t \s \xNN \\`, and `\*1000(text)`.
std::string unescaped(std::string_view text) {
    std::string plain;
    while (!text.empty()) {
        if (text.front() != '\\') {
            plain += text.front();
            text.remove_prefix(1);
            continue;
        }
        const char escape = text.size() > 1 ? text[1] : '\0';
        text.remove_prefix(2);
        switch (escape) {
        case 'r':
            plain += '\r';
            break;
        case 'n':
            plain += '\n';
            break;
        case 't':
            plain += '\t';
            break;
        case 's':
            plain += ' ';
            break;
        case '\\':
            plain += '\\';
            break;
        case 'x':
            plain += static_cast<char>(std::stoi(std::string(text.substr(0, 2)), nullptr, 16));
            text.remove_prefix(2);
            break;
        case '*': {
            const auto open = text.find('(');
            const auto close = text.find(')', open);
            const auto times = std::stoul(std::string(text.substr(0, open)));
            const auto repeated = unescaped(text.substr(open + 1, close - open - 1));
            for (std::size_t i = 0; i < times; ++i) plain += repeated;
            text.remove_prefix(close + 1);
            break;
        }
        default:
            throw std::runtime_error("an unknown escape: \\" + std::string(1, escape));
        }
    }
    return plain;
}

struct section {
    std::string title;
    corpora::kind kind{};
    std::string wrap = "{}";

    std::string wrapped(std::string_view text) const {
        auto whole = wrap;
        return unescaped(whole.replace(whole.find("{}"), 2, text));
    }
};

one_case read_case(const section& in, std::string_view line) {
    const auto blank = line.find(' ');
    const auto mark = line.substr(0, blank);
    auto text = line.substr(blank + 1);
    one_case read;
    read.section = in.title;
    read.name = in.title + ": " + std::string(text.substr(0, 100));
    read.kind = in.kind;
    if (mark == "~") {
        const auto arrow = text.find(" => ");
        if (arrow == text.npos) throw std::runtime_error("no ' => '");
        read.expected = in.wrapped(text.substr(arrow + 4));
        text = text.substr(0, arrow);
    }
    read.bytes = in.wrapped(text);
    if (mark == "+") {
        read.expected = read.bytes;
    } else if (mark == "-") {
        read.verdict = verdict::refused;
    } else if (mark == "?") {
        read.verdict = verdict::beyond;
    } else if (mark != "~") {
        const int number = std::stoi(std::string(mark));
        const bool is_status = number >= 100;
        read.verdict = is_status ? verdict::refused : verdict::counted;
        (is_status ? read.status : read.messages) = number;
    }
    return read;
}

std::vector<one_case> read_file(const std::string& name) {
    const auto path = std::string(SIDECAR_CORPORA) + "/" + name;
    std::ifstream file(path);
    if (!file) throw std::runtime_error(path + ": can't be read");
    std::vector<one_case> all;
    section now;
    std::size_t number = 0;
    for (std::string line; std::getline(file, line);) {
        ++number;
        if (line.empty() || line.front() == '#') continue;
        try {
            if (line.starts_with("== ")) {
                now = section{};
                now.title = line.substr(3);
            } else if (line.starts_with("kind: ")) {
                const auto* const found = std::find(kinds.begin(), kinds.end(), line.substr(6));
                if (found == kinds.end()) throw std::runtime_error("an unknown kind");
                now.kind = static_cast<kind>(std::distance(kinds.begin(), found));
            } else if (line.starts_with("wrap: ")) {
                now.wrap = line.substr(6);
            } else {
                // The blank behind the mark may have been trimmed off an empty case.
                all.push_back(read_case(now, line.size() == 1 ? line + " " : line));
            }
        } catch (const std::exception& wrong) {
            throw std::runtime_error(path + ":" + std::to_string(number) + ": " + wrong.what());
        }
    }
    return all;
}

} // namespace

std::vector<one_case> http_grammar() { return read_file("http_grammar.txt"); }
std::vector<one_case> smuggling() { return read_file("smuggling.txt"); }
std::vector<one_case> json() { return read_file("json.txt"); }

} // namespace corpora
