// Runs the transparency and the hostile cases through this sidecar, nginx and HAProxy, and prints who does what as a
// table in Markdown, with the cases in which each differs. What a proxy sends on of a hostile message is judged by the
// sidecar's own strict reading: what that takes has been made clean.
#include "proxy/data_plane/message_head.hpp"
#include "tests/harness/http_text.hpp"
#include "tests/harness/play.hpp"
#include "tests/harness/sidecar_under_test.hpp"
#include "tests/peers/cases.hpp"
#include "tests/peers/peer.hpp"

#include <algorithm>
#include <cstdio>
#include <functional>
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

bool is_whole_body(const sidecar::body_framing& framing, std::string_view bytes) {
    sidecar::body_reader body(framing, {1 << 24, 1 << 24});
    return body.follow(bytes) == bytes.size() && (body.done() || body.until_close());
}

bool is_clean_request(std::string_view bytes) {
    std::size_t from = 0;
    sidecar::request_head head;
    return sidecar::read_request_head(bytes, from, no_limits, head) == sidecar::head_status::complete &&
           is_whole_body(head.body, bytes.substr(head.bytes.size()));
}

// Behind interim answers.
std::string_view final_answer(std::string_view bytes) {
    while (status_of(bytes) / 100 == 1 && status_of(bytes) != 101 && bytes.find("\r\n\r\n") != std::string_view::npos)
        bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
    return bytes;
}

bool is_clean_answer(std::string_view bytes) {
    std::size_t from = 0;
    sidecar::answer_head head;
    return sidecar::read_answer_head(bytes, from, no_limits, false, head) == sidecar::head_status::complete &&
           head.status != 101 && is_whole_body(head.body, bytes.substr(head.bytes.size()));
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
    void hostile(const std::string& group, const std::vector<cases::hostile_request>& all) {
        for (const auto& one : all) {
            play script{
                one.bytes, "HTTP/1.1 200 OK\r\nX-Backend: yes\r\nContent-Length: 0\r\n\r\n", then::keep, {}, 2s};
            script.enough = [](const outcome& seen) {
                return seen.client_ended != ending::none ||
                       lower(seen.at_client).find("x-backend") != std::string::npos;
            };
            const auto seen = run(script);
            note(group, one.name, seen.connections == 0 && seen.client_ended != ending::none,
                 is_clean_request(seen.at_backend), seen);
        }
    }
    void hostile(const std::string& group, const std::vector<cases::hostile_body>& all) {
        for (const auto& one : all) {
            const auto request = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + one.body;
            const auto seen = run(play{request, {}, then::keep, {}, 2s});
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
    return made;
}

std::string cell(const std::string& group, const tally& all) {
    auto out = std::to_string(all.right) + " of " + std::to_string(all.cases);
    if (all.nearly == 0) return out;
    const bool is_transparency = group.ends_with("unchanged") || group.ends_with("left out");
    return out + ", " + std::to_string(all.nearly) + (is_transparency ? " in meaning" : " made clean");
}

void print(const std::vector<comparison>& all) {
    std::string head = "| |";
    std::string rule = "|---|";
    for (const auto& each : all) {
        head += " " + each.name() + " |";
        rule += "---|";
    }
    std::printf("%s\n%s\n", head.c_str(), rule.c_str());
    for (const auto& [group, run] : groups()) {
        std::string row = "| " + group + " |";
        for (const auto& each : all) row += " " + cell(group, each.groups().at(group)) + " |";
        std::printf("%s\n", row.c_str());
    }
    for (const auto& each : all) {
        std::printf("\n### Where %s changes the meaning, or passes on what is hostile\n\n", each.name().c_str());
        bool none = true;
        for (const auto& [group, run] : groups()) {
            std::string names;
            for (const auto& name : each.groups().at(group).wrong)
                names += (names.empty() ? "" : ", ") + ("`" + shown(name).substr(1, shown(name).size() - 2) + "`");
            if (names.empty()) continue;
            none = false;
            std::printf("- %s; not: %s\n", group.c_str(), names.c_str());
        }
        if (none) std::printf("Nowhere.\n");
    }
}

} // namespace

int main() {
    listener backend;
    std::vector<comparison> all;
    {
        const sidecar_under_test sidecar(backend, [](config& c) {
            c.downstream.header_timeout = 1s;
            c.upstream.response_timeout = 2s;
            c.upstream.idle_connections_max = 0;
        });
        all.push_back(compared("sidecar", sidecar.port(), backend));
    }
    if (const auto program = peers::find_program("nginx")) {
        const peers::peer nginx(*program, peers::nginx_configuration, "-p @DIRECTORY@ -e /dev/null -c @CONFIGURATION@",
                                backend.port());
        all.push_back(compared("nginx", nginx.port(), backend));
    }
    if (const auto program = peers::find_program("haproxy")) {
        const peers::peer haproxy(*program, peers::haproxy_configuration, "-db -f @CONFIGURATION@", backend.port());
        all.push_back(compared("HAProxy", haproxy.port(), backend));
    }
    print(all);
    return std::all_of(all[0].groups().begin(), all[0].groups().end(),
                       [](const auto& group) { return group.second.wrong.empty(); })
               ? 0
               : 1;
}
