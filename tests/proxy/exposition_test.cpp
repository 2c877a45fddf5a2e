#include "proxy/control_plane/exposition.hpp"
#include "tests/proxy/standings.hpp"

#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

using namespace sidecar;
using namespace sidecar::testing;

namespace {

bool has_line(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
}

std::string labels_of(const std::string& line) {
    const auto brace = line.find('{');
    return brace == std::string::npos ? "" : line.substr(brace, line.rfind('}') - brace);
}

} // namespace

TEST_CASE("workers' counters are added up, under the rule's name") {
    made_standing made;
    const auto forward = static_cast<std::size_t>(action_kind::forward);
    made.first.rules[0].requests[forward][2].add(3);
    made.second.rules[0].requests[forward][2].add(4);
    made.second.rules[worker_metrics::rules_max].requests[forward][0].add(1);
    const auto text = exposition(made.now);
    const auto& name = made.now.current->values.rules.rules[0].name;
    CHECK(has_line(text, "sidecar_requests_total{rule=\"" + name + "\",action=\"forward\",code=\"2xx\"} 7"));
    CHECK(has_line(text, R"(sidecar_requests_total{rule="none",action="forward",code="closed"} 1)"));
}

TEST_CASE("after a reload a rule in another's place begins at nought, one that kept its place goes on") {
    made_standing made;
    auto rules = made.now.current->values.rules.rules;
    made.rows.name(rules, made.now.workers);
    for (auto& row : made.first.rules) {
        row.requests[0][2].add(10);
        row.duration.observe(std::chrono::milliseconds(1));
    }
    rules[1].name = "another";
    made.rows.name(rules, made.now.workers);
    made.first.rules[1].requests[0][2].add(1);
    CHECK(made.rows.of(0, made.now.workers).with_code(0, 5) == 10);
    CHECK(made.rows.of(1, made.now.workers).with_code(0, 5) == 1);
    CHECK(made.rows.of(1, made.now.workers).duration.count == 0);
    CHECK(made.rows.of(rule_rows::none, made.now.workers).with_code(0, 5) == 10);
}

TEST_CASE("histograms are cumulative, in seconds") {
    made_standing made;
    made.first.upstream_response.observe(std::chrono::milliseconds(3));
    made.second.upstream_response.observe(std::chrono::milliseconds(700));
    made.second.upstream_response.observe(std::chrono::minutes(5));
    const auto text = exposition(made.now);
    CHECK(has_line(text, R"(sidecar_upstream_response_seconds_bucket{le="0.0025"} 0)"));
    CHECK(has_line(text, R"(sidecar_upstream_response_seconds_bucket{le="0.005"} 1)"));
    CHECK(has_line(text, R"(sidecar_upstream_response_seconds_bucket{le="1"} 2)"));
    CHECK(has_line(text, R"(sidecar_upstream_response_seconds_bucket{le="+Inf"} 3)"));
    CHECK(has_line(text, "sidecar_upstream_response_seconds_count 3"));
    CHECK(text.find("sidecar_upstream_response_seconds_sum 300.703") != std::string::npos);
}

TEST_CASE("a value on a bucket's bound is in it") {
    histogram h;
    h.observe(std::chrono::microseconds(500));
    CHECK(h.buckets[0].get() == 1);
}

TEST_CASE("readiness: its age, and how much is not ready") {
    made_standing made;
    CHECK(exposition(made.now).find("sidecar_readiness_age_seconds") == std::string::npos); // no age before the first
    CHECK(has_line(exposition(made.now), "sidecar_readiness_fresh 0"));
    made.polled(one_of_each);
    const auto text = exposition(made.now);
    CHECK(has_line(text, "sidecar_readiness_fresh 1"));
    CHECK(has_line(text, "sidecar_readiness_age_seconds 0.25"));
    CHECK(has_line(text, R"(sidecar_readiness_entries{collection="projects"} 1)"));
    CHECK(has_line(text, R"(sidecar_readiness_not_ready_entries{collection="projects",member="is_upload_ready"} 1)"));
    CHECK(has_line(text, R"(sidecar_readiness_not_ready_entries{collection="projects",member="is_download_ready"} 0)"));
}

TEST_CASE("names keep to Prometheus' conventions, each with help and type, no series twice") {
    made_standing made;
    made.polled(one_of_each);
    std::map<std::string, std::string> types;
    std::set<std::string> helped, series;
    std::istringstream lines(exposition(made.now));
    for (std::string line; std::getline(lines, line);) {
        std::istringstream words(line);
        std::string hash, what, name, type;
        if (line.starts_with("#")) {
            words >> hash >> what >> name >> type;
            if (what == "TYPE") CHECK(types.emplace(name, type).second);
            if (what == "HELP") helped.insert(name);
            continue;
        }
        CHECK(series.insert(line.substr(0, line.rfind(' '))).second);
    }
    CHECK(types.size() > 35);
    for (const auto& each : types) { // clang 14 captures no structured bindings
        const auto& name = each.first;
        const auto& type = each.second;
        CAPTURE(name);
        CHECK(helped.contains(name));
        CHECK(std::regex_match(name, std::regex("(sidecar|process)(_[a-z]+)+")));
        CHECK(name.ends_with("_total") == (type == "counter"));
    }
}

TEST_CASE("labels are words of ours or of the configuration: no id, no path") {
    made_standing made;
    made.polled(one_of_each);
    std::istringstream lines(exposition(made.now));
    for (std::string line; std::getline(lines, line);)
        if (!line.starts_with("#")) {
            CHECK(labels_of(line).find('/') == std::string::npos);
            CHECK(line.find("ca29f7df") == std::string::npos);
        }
}

TEST_CASE("what every limit, reason and failure is called differs from the others") {
    std::set<std::string_view> words;
    for (std::size_t i = 0; i < limit_kinds; ++i) words.insert(to_string(static_cast<limit>(i)));
    CHECK(words.size() == limit_kinds);
    words.clear();
    for (std::size_t i = 0; i < poll_failures; ++i) words.insert(to_string(static_cast<poll_failure>(i)));
    CHECK(words.size() == poll_failures);
}

TEST_CASE("the process's own figures are plausible") {
    const auto figures = read_process_figures();
    CHECK(figures.resident_bytes > 100'000);
    CHECK(figures.virtual_bytes >= figures.resident_bytes);
    CHECK(figures.open_descriptors >= 3);
    CHECK(figures.descriptors_max >= figures.open_descriptors);
    CHECK(figures.threads >= 1);
    const auto now = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    CHECK(figures.start_time_unix > now - 86'400);
    CHECK(figures.start_time_unix <= now + 2);
}
