// The decision: any method and target. Never a crash; and what the backend's router drops (more slashes, an encoded
// letter, a fragment) changes no decision. The first byte chooses the method, the rest is the target.
#include "sidecar/rules.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

const sidecar::rule_table& table() {
    static const sidecar::rule_table made(sidecar::rules_config{}, "/internal/consistency");
    return made;
}

sidecar::decision decide(std::string_view method, std::string_view target) {
    return table().decide({method, target, {}}, {}, {});
}

void expect_same(const sidecar::decision& a, const sidecar::decision& b) {
    expect(a.reason == b.reason);
    expect(a.rule == b.rule);
    expect(a.id == b.id);
    expect(a.action.index() == b.action.index());
}

std::string with_doubled_slashes(std::string_view path) {
    std::string doubled;
    for (const char c : path) doubled.append(c == '/' ? 2 : 1, c);
    return doubled;
}

// The last letter that is not part of an escape. Behind the prefix, which is compared as sent.
std::string with_an_encoded_letter(std::string_view path, std::size_t prefix) {
    for (auto at = path.size(); at-- > prefix;) {
        const char c = path[at];
        if (c < 'g' || c > 'z') continue; // a hexadecimal digit might end an escape
        if (path.substr(0, at).find('%') != path.npos) break;
        const auto escape = std::string("%") + "0123456789abcdef"[c >> 4] + "0123456789abcdef"[c & 15];
        return std::string(path.substr(0, at)) + escape + std::string(path.substr(at + 1));
    }
    return std::string(path);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    constexpr std::string_view methods[] = {"GET", "POST", "PUT", "HEAD"};
    const auto method = methods[data[0] % 4];
    const std::string_view target(reinterpret_cast<const char*>(data + 1), size - 1);
    const auto made = decide(method, target);
    if (made.rule != sidecar::decision::no_rule) expect(made.rule < 6);

    const auto path = target.substr(0, target.find_first_of("?#"));
    const auto rest = std::string(target.substr(path.size()));
    expect_same(made, decide(method, with_doubled_slashes(path) + rest));
    if (target.find('#') == target.npos) expect_same(made, decide(method, std::string(target) + "#x?info"));

    constexpr std::string_view prefix = "/api/v1/";
    if (path.substr(0, prefix.size()) == prefix)
        expect_same(made, decide(method, with_an_encoded_letter(path, prefix.size()) + rest));
    if (!path.empty() && made.rule != sidecar::decision::no_rule)
        expect_same(made, decide(method, std::string(path) + "/" + rest));
    return 0;
}
