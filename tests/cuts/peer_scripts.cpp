// The cases by which peers are compared, as scripts.
#include "tests/cuts/exchanges.hpp"
#include "tests/peers/cases.hpp"

namespace cuts {

namespace {

void add(std::vector<script>& to, const std::string& kind, const std::vector<cases::transparent>& from) {
    for (const auto& each : from) {
        script made{kind + each.name, {{each.sent}}, {{each.answered}}};
        if (each.until_close) made.backend[0].after = reply::then::fin;
        to.push_back(std::move(made));
    }
}

void add(std::vector<script>& to, const std::vector<cases::hostile_request>& from) {
    for (const auto& each : from) to.push_back({"refused: " + each.name, {{each.bytes}}, {}});
}

} // namespace

std::vector<script> peer_scripts() {
    std::vector<script> all;
    add(all, "", cases::targets());
    add(all, "request: ", cases::request_heads());
    add(all, "request: ", cases::request_bodies());
    add(all, "hop by hop: ", cases::hop_by_hop());
    add(all, "response: ", cases::answer_heads());
    add(all, "response: ", cases::answer_bodies());
    return all;
}

std::vector<script> refused_scripts() {
    std::vector<script> all;
    add(all, cases::hostile_framing());
    add(all, cases::hostile_hosts());
    add(all, cases::hostile_targets());
    add(all, cases::hostile_lines());
    for (const auto& each : cases::hostile_chunks()) {
        script made{"refused chunks: " + each.name,
                    {{"POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + each.body}},
                    {}};
        made.goes_wrong_late = true;
        all.push_back(std::move(made));
    }
    for (const auto& each : cases::hostile_answers()) {
        script made{"refused response: " + each.name, {{"GET / HTTP/1.1\r\nHost: a\r\n\r\n"}}, {{each.bytes}}};
        if (each.ends) made.backend[0].after = reply::then::fin;
        all.push_back(std::move(made));
    }
    return all;
}

} // namespace cuts
