// Random JSON for property tests: every kind of value, blanks, escapes, odd numbers and repeated names. Seeded, so that
// a failure can be seen again.
#pragma once

#include <array>
#include <random>
#include <string>
#include <string_view>

namespace sidecar::testing {

class json_samples {
public:
    explicit json_samples(std::uint32_t seed) : random_(seed) {}

    std::string object(int depth = 4) {
        std::string text = "{" + blanks();
        const unsigned members = below(5);
        for (unsigned i = 0; i < members; ++i) {
            if (i != 0) text += "," + blanks();
            text += string(names_[below(names_.size())]) + blanks() + ":" + blanks() + value(depth - 1) + blanks();
        }
        return text + "}";
    }

    std::string value(int depth) {
        switch (below(depth > 0 ? 7 : 5)) {
        case 0:
            return pick({"true", "false", "null"});
        case 1:
            return pick({"0", "-0", "1.50", "1e5", "-12E-2", "18446744073709551615", "0.1000000000000000055"});
        case 2:
            return string("plain");
        case 3:
            return pick(
                {R"("}{][,:\"")", R"("\\")", R"("\u0000\n\/")", "\"\xC3\xA9\xF0\x9F\x98\x80\"", R"("\ud83d\ude00")"});
        case 4:
            return "\"\"";
        case 5:
            return object(depth);
        default: {
            std::string text = "[" + blanks();
            const unsigned elements = below(4);
            for (unsigned i = 0; i < elements; ++i)
                text += (i != 0 ? "," : "") + blanks() + value(depth - 1) + blanks();
            return text + "]";
        }
        }
    }

    // With one place broken, or not.
    std::string damaged(std::string body) {
        constexpr std::string_view bytes = "{}[]\",:\\ \n0-e.tu\xC3\x01";
        const auto at = below(body.size());
        switch (below(3)) {
        case 0:
            return body.erase(at, 1 + below(3));
        case 1:
            return body.insert(at, 1, bytes[below(bytes.size())]);
        default:
            body[at] = bytes[below(bytes.size())];
            return body;
        }
    }

    unsigned below(std::size_t limit) { return static_cast<unsigned>(random_() % limit); }

private:
    std::string blanks() { return pick({"", "", "", " ", "\n  ", "\t", "\r\n"}); }

    std::string pick(std::initializer_list<std::string_view> from) {
        return std::string(from.begin()[below(from.size())]);
    }

    // Some letters written as escapes.
    std::string string(std::string_view plain) {
        std::string text = "\"";
        for (const char c : plain) {
            constexpr std::string_view hex = "0123456789abcdef";
            if (below(8) == 0)
                text += std::string("\\u00") + hex[static_cast<unsigned char>(c) >> 4] + hex[c & 0xF];
            else
                text += c;
        }
        return text + '"';
    }

    static constexpr std::array<std::string_view, 6> names_{"id", "name", "info", "resource_consistency", "a}b", ""};
    std::mt19937 random_;
};

} // namespace sidecar::testing
