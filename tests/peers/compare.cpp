// Runs the transparency and the hostile cases, the corpora, and what foreign suites found through this sidecar, nginx
// and HAProxy, and prints who does what as tables in Markdown, with the cases in which each differs. What a proxy sends
// on of a hostile message is judged by the sidecar's own strict reading: what that takes has been made clean.
#include "proxy/data_plane/message_head.hpp"
#include "tests/corpora/corpus.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/play.hpp"
#include "tests/harness/sidecar_under_test.hpp"
#include "tests/peers/cases.hpp"
#include "tests/peers/lines.hpp"
#include "tests/peers/peer.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <set>

using namespace harness;
using namespace std::chrono_literals;

namespace {

// What one proxy made of one group of cases.
struct tally {
    std::size_t cases = 0;
    std::size_t right = 0;  // passed unchanged, or refused
    std::size_t nearly = 0; // passed with the same meaning, or made clean
    std::vector<std::string> wrong;
};

constexpr sidecar::head_limits no_limits{1 << 24, 10'000, 1 << 20};

// How many bytes of the body there are, if it is whole.
std::optional<std::size_t> whole_body(const sidecar::body_framing& framing, std::string_view bytes) {
    sidecar::body_reader body(framing, {1 << 24, 1 << 24});
    std::string copy(bytes);
    std::size_t used = 0;
    while (used < copy.size() && !body.done() && body.failed() == sidecar::body_reader::fault::none)
        used += body.take(std::span<char>(copy).subspan(used)).used;
    if (!body.done() && !body.end_of_stream()) return {};
    return used;
}

// How many requests a strict reader finds; nullopt: something else is there, too.
std::optional<int> count_requests(std::string_view bytes) {
    int count = 0;
    for (; !bytes.empty(); ++count) {
        std::size_t searched = 0;
        sidecar::request_head head;
        if (sidecar::read_request_head(bytes, searched, no_limits, head) != sidecar::head_status::complete) return {};
        const auto body = whole_body(head.body, bytes.substr(head.consumed));
        if (!body) return {};
        bytes.remove_prefix(head.consumed + *body);
    }
    return count;
}

bool is_clean_request(std::string_view bytes) { return count_requests(bytes) == 1; }

// Behind interim answers.
std::string_view final_answer(std::string_view bytes) {
    while (status_of(bytes) / 100 == 1 && status_of(bytes) != 101 && bytes.find("\r\n\r\n") != std::string_view::npos)
        bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
    return bytes;
}

bool is_clean_answer(std::string_view bytes) {
    std::size_t searched = 0;
    sidecar::response_head head;
    return sidecar::read_response_head(bytes, searched, no_limits, false, head) == sidecar::head_status::complete &&
           head.status != 101 && whole_body(head.body, bytes.substr(head.consumed)) == bytes.size() - head.consumed;
}

// A message as one would understand it: names in lower case and in order, framing and what proxies like to add aside.
std::string meaning_of(std::string_view bytes) {
    static const std::set<std::string> aside{"connection", "keep-alive",        "date",          "server",
                                             "via",        "transfer-encoding", "content-length"};
    const auto head = bytes.substr(0, std::min(bytes.find("\r\n\r\n"), bytes.size()));
    auto body = std::string(bytes.substr(std::min(head.size() + 4, bytes.size())));
    if (field_of(std::string(head) + "\r\n\r\n", "Transfer-Encoding")) body = unchunked(body);
    std::multiset<std::string> lines;
    for (auto at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
        const auto line = head.substr(at + 2, std::min(head.find("\r\n", at + 2), head.size()) - at - 2);
        const auto name = lower(line.substr(0, line.find(':')));
        if (!aside.contains(name))
            lines.insert(name + ": " + field_of("\r\n" + std::string(line) + "\r\n\r\n", name).value_or(""));
    }
    std::string meaning(head.substr(0, head.find("\r\n")));
    for (const auto& line : lines) meaning += "\n" + line;
    return meaning + "\n\n" + body;
}

void judge(tally& all, const cases::transparent& one, const outcome& seen) {
    ++all.cases;
    const bool request_same = seen.at_backend == one.expected_at_backend();
    const bool answer_same = seen.at_client == one.expected_at_client();
    const bool request_means_same = meaning_of(seen.at_backend) == meaning_of(one.expected_at_backend());
    const bool means_same = request_means_same && meaning_of(seen.at_client) == meaning_of(one.expected_at_client());
    if (request_same && answer_same) ++all.right;
    if (request_same && answer_same) return;
    if (means_same) return void(++all.nearly);
    const auto part = seen.at_backend.empty() ? std::to_string(status_of(seen.at_client))
                                              : std::string(request_means_same ? "answer" : "request");
    all.wrong.push_back(one.name + " (" + part + ")");
}

class comparison {
public:
    comparison(std::string name, std::uint16_t port, listener& backend)
        : name_(std::move(name)),
          port_(port),
          backend_(backend) {}

    const std::string& name() const { return name_; }
    const std::map<std::string, tally>& groups() const { return groups_; }

    void transparent(const std::string& group, const std::vector<cases::transparent>& all) {
        for (const auto& one : all) {
            play script{one.sent, one.answered, one.until_close ? then::close : then::keep, {}, 300ms};
            script.enough = [&](const outcome& seen) {
                return seen.at_client == one.expected_at_client() && seen.at_backend == one.expected_at_backend() &&
                       !one.until_close;
            };
            judge(groups_[group], one, run(script));
        }
    }
    // What the client gets is another case's matter.
    void passes(const std::string& group, const corpora::one_case& one) {
        const bool is_response = one.kind == corpora::kind::response;
        const std::string head = one.kind == corpora::kind::chunks ? chunked_head : "";
        const auto sent = is_response ? plain_request : head + one.bytes;
        const auto expected = is_response ? one.expected : head + one.expected;
        play script{sent, is_response ? one.bytes : plain_answer, then::keep, {}, 300ms};
        const auto arrived = [is_response](const outcome& seen) {
            return is_response ? seen.at_client : seen.at_backend;
        };
        script.enough = [&](const outcome& seen) { return arrived(seen) == expected; };
        const auto seen = run(script);
        auto& group_tally = groups_[group];
        ++group_tally.cases;
        if (arrived(seen) == expected)
            ++group_tally.right;
        else if (meaning_of(arrived(seen)) == meaning_of(expected))
            ++group_tally.nearly;
        else
            group_tally.wrong.push_back(short_name(one) + " (" +
                                        std::to_string(status_of(final_answer(seen.at_client))) + ")");
    }
    void refused(const std::string& group, const corpora::one_case& one) {
        if (one.kind == corpora::kind::response || one.kind == corpora::kind::responses)
            hostile(group, std::vector<cases::hostile_answer>{{short_name(one), one.bytes}});
        else if (one.kind == corpora::kind::chunks)
            hostile(group, std::vector<cases::hostile_body>{{short_name(one), one.bytes}});
        else
            hostile(group, std::vector<cases::hostile_request>{{short_name(one), one.bytes}},
                    one.bytes.find("chunked") != one.bytes.npos);
    }
    // Each message is answered on a connection of its own.
    void counted(const std::string& group, const corpora::one_case& one) {
        const bool is_response = one.kind == corpora::kind::responses;
        play script{
            is_response ? plain_request : one.bytes, is_response ? one.bytes : last_answer, then::close, {}, 700ms};
        const auto seen = run(script);
        auto& group_tally = groups_[group];
        ++group_tally.cases;
        const bool right = is_response ? status_of(final_answer(seen.at_client)) / 100 != 1 &&
                                             is_clean_answer(final_answer(seen.at_client))
                                       : count_requests(seen.at_backend) == one.messages;
        if (right)
            ++group_tally.right;
        else
            group_tally.wrong.push_back(short_name(one) + " (" +
                                        std::to_string(status_of(final_answer(seen.at_client))) + ")");
    }
    void corpus(const std::vector<corpora::one_case>& all) {
        for (const auto& one : all) {
            if (one.verdict == corpora::verdict::passes)
                passes(one.section, one);
            else if (one.verdict == corpora::verdict::refused)
                refused(one.section, one);
            else
                counted(one.section, one);
        }
    }
    void hostile(const std::string& group, const std::vector<cases::hostile_request>& all, bool may_reach = false) {
        for (const auto& one : all) {
            play script{
                one.bytes, "HTTP/1.1 200 OK\r\nX-Backend: yes\r\nContent-Length: 0\r\n\r\n", then::keep, {}, 2s};
            script.enough = [](const outcome& seen) {
                return seen.client_ended != ending::none ||
                       lower(seen.at_client).find("x-backend") != std::string::npos;
            };
            const auto seen = run(script);
            // One with chunks may be on its way before they go wrong, if never whole.
            const bool none = may_reach ? !request_size(seen.at_backend) : seen.connections == 0;
            note(group, one.name, none && seen.client_ended != ending::none, is_clean_request(seen.at_backend), seen);
        }
    }
    void hostile(const std::string& group, const std::vector<cases::hostile_body>& all) {
        for (const auto& one : all) {
            const auto request = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + one.body;
            play script{request, {}, then::keep, {}, 2s};
            script.enough = [](const outcome& so_far) { return request_size(so_far.at_backend).has_value(); };
            const auto seen = run(script);
            const bool refused = !request_size(seen.at_backend) && seen.client_ended != ending::none;
            note(group, one.name, refused, is_clean_request(seen.at_backend), seen);
        }
    }
    void hostile(const std::string& group, const std::vector<cases::hostile_answer>& all) {
        for (const auto& one : all) {
            play script{"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
                        one.bytes,
                        one.ends || one.bytes.empty() ? then::close : then::keep,
                        {},
                        2500ms};
            if (one.bytes.empty()) continue; // nothing to play
            script.enough = [](const outcome& seen) {
                const auto answer = final_answer(seen.at_client);
                return status_of(answer) >= 500 && answer.find("\r\n\r\n") != std::string_view::npos;
            };
            const auto seen = run(script);
            const auto answer = final_answer(seen.at_client);
            const int status = status_of(answer);
            const bool refused =
                status == 502 || status == 504 || (answer.empty() && seen.client_ended != ending::none);
            note(group, one.name, refused, is_clean_answer(answer), seen);
        }
    }

private:
    inline static const std::string plain_request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    inline static const std::string chunked_head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    inline static const std::string plain_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    inline static const std::string last_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

    // The case without its section's title.
    static std::string short_name(const corpora::one_case& one) { return one.name.substr(one.section.size() + 2); }

    outcome run(const play& script) {
        while (backend_.has_connection()) backend_.accept(); // of a case before
        return script.run(port_, backend_);
    }
    void note(const std::string& group, const std::string& name, bool refused, bool clean, const outcome& seen) {
        auto& all = groups_[group];
        ++all.cases;
        if (refused)
            ++all.right;
        else if (clean)
            ++all.nearly;
        else
            all.wrong.push_back(name + " (" + std::to_string(status_of(final_answer(seen.at_client))) + ")");
    }

    std::string name_;
    std::uint16_t port_;
    listener& backend_;
    std::map<std::string, tally> groups_;
};

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
