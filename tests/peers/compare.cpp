// Runs the transparency and the hostile cases, the corpora, and what foreign suites found through this sidecar, nginx
// and HAProxy, and prints who does what as tables in Markdown, with the cases in which each differs.
#include "tests/corpora/corpus.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/sidecar_under_test.hpp"
#include "tests/peers/cases.hpp"
#include "tests/peers/comparison.hpp"
#include "tests/peers/lines.hpp"
#include "tests/peers/peer.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <future>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace harness;
using namespace std::chrono_literals;
using peers::comparison;
using peers::tally;

namespace {

const std::vector<std::pair<std::string, std::function<void(comparison&, const std::string&)>>>& groups() {
    static const std::vector<std::pair<std::string, std::function<void(comparison&, const std::string&)>>> all{
        {"targets pass unchanged", [](comparison& c, const std::string& g) { c.transparent(g, cases::targets()); }},
        {"request heads pass unchanged",
         [](comparison& c, const std::string& g) { c.transparent(g, cases::request_heads()); }},
        {"request bodies pass unchanged",
         [](comparison& c, const std::string& g) { c.transparent(g, cases::request_bodies()); }},
        {"hop-by-hop fields alone are left out",
         [](comparison& c, const std::string& g) { c.transparent(g, cases::hop_by_hop()); }},
        {"answer heads pass unchanged",
         [](comparison& c, const std::string& g) { c.transparent(g, cases::answer_heads()); }},
        {"answer bodies pass unchanged",
         [](comparison& c, const std::string& g) { c.transparent(g, cases::answer_bodies()); }},
        {"ambiguous framing refused",
         [](comparison& c, const std::string& g) { c.hostile(g, cases::hostile_framing()); }},
        {"bad Host refused", [](comparison& c, const std::string& g) { c.hostile(g, cases::hostile_hosts()); }},
        {"bad target refused", [](comparison& c, const std::string& g) { c.hostile(g, cases::hostile_targets()); }},
        {"malformed lines refused", [](comparison& c, const std::string& g) { c.hostile(g, cases::hostile_lines()); }},
        {"malformed chunks refused",
         [](comparison& c, const std::string& g) { c.hostile(g, cases::hostile_chunks()); }},
        {"bad answers become 502", [](comparison& c, const std::string& g) { c.hostile(g, cases::hostile_answers()); }},
    };
    return all;
}

comparison compared(const std::string& name, std::uint16_t port, listener& backend) {
    comparison made(name, port, backend);
    for (const auto& [group, run] : groups()) {
        std::fprintf(stderr, "%s: %s\n", name.c_str(), group.c_str()); // it takes a while
        run(made, group);
    }
    std::fprintf(stderr, "%s: the corpora\n", name.c_str());
    made.corpus(corpora::http_grammar());
    made.corpus(corpora::smuggling());
    return made;
}

std::string cell(const tally& all, const char* nearly) {
    auto out = std::to_string(all.right) + " of " + std::to_string(all.cases);
    if (all.nearly > 0) out += ", " + std::to_string(all.nearly) + " " + nearly;
    return out;
}

const char* nearly_in(const std::string& group) {
    const bool is_transparency = group.ends_with("unchanged") || group.ends_with("left out");
    return is_transparency ? "in meaning" : "made clean";
}

void print_header(const std::string& first, const std::vector<comparison>& all) {
    std::string head = "| " + first + " |";
    std::string rule = "|---|";
    for (const auto& each : all) {
        head += " " + each.name() + " |";
        rule += "---|";
    }
    std::printf("%s\n%s\n", head.c_str(), rule.c_str());
}

// The sections of a corpus, in its order.
std::vector<std::string> sections_of(const std::vector<corpora::one_case>& all) {
    std::vector<std::string> titles;
    for (const auto& one : all)
        if (titles.empty() || titles.back() != one.section) titles.push_back(one.section);
    return titles;
}

void print_table(const std::string& first, const std::vector<std::string>& rows, const std::vector<comparison>& all,
                 bool is_corpus) {
    print_header(first, all);
    for (const auto& group : rows) {
        std::string row = "| " + group + " |";
        for (const auto& each : all)
            row += " " + cell(each.groups().at(group), is_corpus ? "otherwise" : nearly_in(group)) + " |";
        std::printf("%s\n", row.c_str());
    }
}

std::string quoted_names(const std::vector<std::string>& names) {
    std::string all;
    for (const auto& name : names)
        all += (all.empty() ? "" : ", ") + ("`" + shown(name).substr(1, shown(name).size() - 2) + "`");
    return all;
}

void print_differences(const comparison& one, const std::vector<std::string>& rows) {
    bool none = true;
    for (const auto& group : rows) {
        const auto names = quoted_names(one.groups().at(group).wrong);
        if (names.empty()) continue;
        none = false;
        std::printf("- %s; not: %s\n", group.c_str(), names.c_str());
    }
    if (none) std::printf("Nowhere.\n");
}

void print(const std::vector<comparison>& all) {
    std::vector<std::string> rows;
    for (const auto& [group, run] : groups()) rows.push_back(group);
    std::printf(
        "\n## Messages to the byte, and hostile ones\n\n"
        "\"In meaning\" is what was changed without changing what it says (names in another case, framing, fields in "
        "another\norder); \"made clean\" is what was hostile and was sent on in a form with one reading.\n\n");
    print_table("", rows, all, false);
    for (const auto& each : all) {
        std::printf("\n### Where %s changes the meaning, or passes on what is hostile\n\n", each.name().c_str());
        print_differences(each, rows);
    }
    std::printf(
        "\n## The grammar, production by production, and the classes of smuggling\n\n"
        "The cases of [tests/corpora](../corpora/README.md), as they say: passed on to the byte, or as the sidecar "
        "rewrites them,\nor refused. \"Otherwise\" is another form with the same meaning, or one reading.\n\n");
    auto sections = sections_of(corpora::http_grammar());
    print_table("RFC 9112 and 9110", sections, all, true);
    std::printf("\n");
    const auto classes = sections_of(corpora::smuggling());
    print_table("smuggling", classes, all, true);
    sections.insert(sections.end(), classes.begin(), classes.end());
    for (const auto& each : all) {
        std::printf("\n### Where %s does otherwise\n\n", each.name().c_str());
        print_differences(each, sections);
    }
}

constexpr auto* introduction = R"(# Who passes what on, and who refuses what

The same bytes through this sidecar and through nginx and HAProxy of Debian 12, all set up as a reverse proxy would be
(`tests/peers/peer.cpp`), with scripted bytes at both ends. The cases are data: `tests/peers/*_cases.cpp`,
`tests/peers/lines.cpp` and `tests/corpora`; the sidecar's own tests are held to the same ones.

Written by `build/release/tests/peer_compare >tests/peers/PEERS.md`, which takes ten minutes: most of it goes by in
waiting for peers' time-outs.)";

constexpr auto* what_peers_have_not = R"(What was found besides, and peers have nothing to compare with:

| | the sidecar | shown by |
|---|---|---|
| `If-Match` with the augmented response's `ETag` | is answered here: the response, or `412` | `tests/proxy/augmenter_test.cpp`, "If-Match is about the new ETag" |
| a status URL at `https://127.1`, `2130706433`, `0x7f.1` | is not asked: no certificate can be for it | `tests/proxy/status_tls_test.cpp`, "what no certificate can be for" |
| a page's script at the admin listener, by another name | `421` unless it is an address, `localhost` or one of `admin.hosts` | `tests/proxy/admin_test.cpp`, "a Host that is another's is 421" |
| a password in a target, 125 kB in a field, U+202E, in the log | not logged; cut at 256 bytes; escaped | `tests/proxy/json_line_test.cpp` |)";

// What foreign suites found, in words; false: not as wanted of the sidecar.
using observations = std::vector<std::string>;

observations observed(std::uint16_t port, listener& backend) {
    observations all;
    for (const auto& line : peers::lines()) all.push_back(line.observe(port, backend));
    return all;
}

bool print_lines(const std::vector<comparison>& all, const std::vector<observations>& seen) {
    bool as_wanted = true;
    std::printf("\n## What foreign suites and real clients found, line by line\n\n"
                "With kept connections to the backend, and `X-Forwarded-For` set.\n\n");
    print_header("", all);
    for (std::size_t i = 0; i < peers::lines().size(); ++i) {
        const auto& line = peers::lines()[i];
        std::string row = "| " + line.name + " |";
        for (const auto& each : seen) row += " " + each[i] + " |";
        std::printf("%s\n", row.c_str());
        if (seen[0][i] == line.wanted) continue;
        as_wanted = false;
        std::fprintf(stderr, "%s: the sidecar was to do: %s\n", line.name.c_str(), line.wanted.c_str());
    }
    std::printf("\n%s\n", what_peers_have_not);
    return as_wanted;
}

struct result {
    comparison cases;
    observations lines;
};

result of_sidecar() {
    listener backend;
    const auto quick = [](config& c) {
        c.downstream.header_timeout = 1s;
        c.upstream.response_timeout = 2s;
    };
    const sidecar_under_test plain(backend, [&](config& c) {
        quick(c);
        c.upstream.idle_connections_max = 0;
    });
    auto cases = compared("sidecar", plain.port(), backend);
    const sidecar_under_test setting(backend, [&](config& c) {
        quick(c);
        c.forward.x_forwarded_for = true;
    });
    return {std::move(cases), observed(setting.port(), backend)};
}

std::string with(std::string configuration, std::string_view before, std::string_view added) {
    return configuration.insert(configuration.find(before), added);
}

result of_peer(const std::string& name, const std::string& program, const std::string& configuration,
               const std::string& setting_configuration, const std::string& arguments) {
    listener backend;
    auto cases = [&] {
        const peers::peer plain(program, configuration, arguments, backend.port());
        return compared(name, plain.port(), backend);
    }();
    const peers::peer setting(program, setting_configuration, arguments, backend.port());
    return {std::move(cases), observed(setting.port(), backend)};
}

} // namespace

// Side by side: most of the time goes by in waiting for time-outs.
int main() {
    std::vector<std::future<result>> running;
    running.push_back(std::async(std::launch::async, of_sidecar));
    if (const auto program = peers::find_program("nginx"))
        running.push_back(std::async(std::launch::async, of_peer, "nginx", *program, peers::nginx_configuration,
                                     with(peers::nginx_configuration, "proxy_set_header Connection",
                                          "proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n      "),
                                     "-p @DIRECTORY@ -e /dev/null -c @CONFIGURATION@"));
    if (const auto program = peers::find_program("haproxy"))
        running.push_back(std::async(std::launch::async, of_peer, "HAProxy", *program, peers::haproxy_configuration,
                                     with(peers::haproxy_configuration, "listen proxy", "  option forwardfor\n"),
                                     "-db -f @CONFIGURATION@"));
    std::vector<comparison> all;
    std::vector<observations> lines;
    for (auto& each : running) {
        auto done = each.get();
        all.push_back(std::move(done.cases));
        lines.push_back(std::move(done.lines));
    }
    std::printf("%s\n", introduction);
    const bool as_wanted = print_lines(all, lines);
    print(all);
    const bool all_right = std::all_of(all[0].groups().begin(), all[0].groups().end(),
                                       [](const auto& group) { return group.second.wrong.empty(); });
    return as_wanted && all_right ? 0 : 1;
}
