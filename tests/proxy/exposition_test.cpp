#include "proxy/control_plane/exposition.hpp"
#include "tests/proxy/standings.hpp"

#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

namespace exposition_test {

using namespace sidecar;
using namespace sidecar::testing;

bool has_line(const std::string& text, const std::string& line) {
    return text.find("\n" + line + "\n") != std::string::npos;
}

std::string labels_of(const std::string& line) {
    const auto brace = line.find('{');
    return brace == std::string::npos ? "" : line.substr(brace, line.rfind('}') - brace);
}

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
    h.observe(std::chrono::microseconds(100));
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

TEST_CASE("the last failures are kept, and no more of them than that") {
    last_failures of;
    CHECK(of.all().empty());
    for (int i = 0; i < 47; ++i)
        of.note({}, "GET", "/" + std::to_string(i), failure_reason::no_response, 0, std::chrono::seconds(i));
    const auto all = of.all();
    REQUIRE(all.size() == last_failures::kept);
    CHECK(all.front().target == "/27");
    CHECK(all.back().target == "/46");
    of.note({}, "GET", std::string(1'000'000, 'x'), failure_reason::no_response, 0, {});
    CHECK(of.all().back().target.size() < 100);
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

TEST_CASE("what the values of an enum are called differs") {
    const auto differ = []<class Enum>(Enum) {
        std::set<std::string_view> words;
        for (std::size_t i = 0; i < enum_size<Enum>; ++i) words.insert(to_string(static_cast<Enum>(i)));
        CHECK(words.size() == enum_size<Enum>);
        CHECK_FALSE(words.contains(""));
    };
    differ(action_kind{});
    differ(limit{});
    differ(failure_reason{});
    differ(party{});
    differ(poll_failure{});
    differ(reason{});
    differ(not_augmented{});
}

TEST_CASE("every counter of a worker is in the table") {
    worker_metrics of;
    std::set<const counter*> in_the_table;
    for (const auto& row : worker_table()) {
        if (row.counters != nullptr)
            for (const auto& each : row.counters(of)) in_the_table.insert(&each);
        else {
            for (const auto& each : row.distribution(of).buckets) in_the_table.insert(&each);
            in_the_table.insert(&row.distribution(of).sum_nanoseconds);
        }
    }
    const auto elsewhere = sizeof of.rules + sizeof of.failed_last + sizeof of.connect_errno;
    CHECK(in_the_table.size() == (sizeof of - elsewhere) / sizeof(counter));
}

TEST_CASE("every counter of the table is exposed, with the workers' sum") {
    made_standing made;
    std::uint64_t next = 1;
    const auto set = [](const counter& which, std::uint64_t to) { const_cast<counter&>(which).set(to); };
    for (const auto& row : worker_table())
        if (row.counters != nullptr)
            for (std::size_t i = 0; i < row.counters(made.first).size(); ++i) {
                set(row.counters(made.first)[i], next);
                set(row.counters(made.second)[i], 100'000);
                ++next;
            }
    const auto text = exposition(made.now);
    for (const auto& row : worker_table()) {
        CAPTURE(row.name);
        CHECK(has_line(text, "# TYPE " + std::string(row.name) +
                                 (row.kind == metric_kind::counter ? " counter"
                                  : row.kind == metric_kind::gauge ? " gauge"
                                                                   : " histogram")));
        if (row.counters == nullptr) continue;
        for (std::size_t i = 0; i < row.counters(made.first).size(); ++i) {
            std::string labels;
            for (std::size_t l = 0; l < row.labels.size() && !row.labels[l].empty(); ++l)
                labels += std::string(labels.empty() ? "{" : ",") + std::string(row.labels[l]) + "=\"" +
                          std::string(row.values(i)[l]) + "\"";
            if (!labels.empty()) labels += "}";
            const auto value = row.counters(made.first)[i].get() + 100'000;
            CHECK(has_line(text, std::string(row.name) + labels + " " + std::to_string(value)));
        }
    }
}

TEST_CASE("failures are counted by reason, exact code, and whose fault it was") {
    made_standing made;
    made.first.failures.at(failure_reason::upstream_unreachable, 503).add(2);
    made.first.failures.at(failure_reason::upstream_unreachable, 0).add();
    made.second.failures.at(failure_reason::truncated_response, 200).add(); // within a response: closed
    const auto text = exposition(made.now);
    const auto line = [](const char* why, const char* code, const char* whose, int n) {
        return "sidecar_failures_total{reason=\"" + std::string(why) + "\",code=\"" + code + "\",fault=\"" + whose +
               "\"} " + std::to_string(n);
    };
    CHECK(has_line(text, line("upstream_unreachable", "503", "upstream", 2)));
    CHECK(has_line(text, line("upstream_unreachable", "closed", "upstream", 1)));
    CHECK(has_line(text, line("truncated_response", "closed", "upstream", 1)));
    CHECK(has_line(text, line("header_timeout", "408", "client", 0))); // there from the start
    CHECK(text.find(R"(reason="header_timeout",code="503")") == std::string::npos);
    CHECK(text.find(R"(reason="none")") == std::string::npos);
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

} // namespace exposition_test
