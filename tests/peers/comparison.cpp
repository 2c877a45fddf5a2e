#include "tests/peers/comparison.hpp"

#include "tests/harness/http_text.hpp"
#include "tests/peers/strict_reading.hpp"

namespace peers {

using namespace harness;
using namespace std::chrono_literals;

namespace {

const std::string plain_request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string chunked_head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string plain_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const std::string last_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

// The case without its section's title.
std::string short_name(const corpora::one_case& one) { return one.name.substr(one.section.size() + 2); }

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

} // namespace

void comparison::transparent(const std::string& group, const std::vector<cases::transparent>& all) {
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
void comparison::passes(const std::string& group, const corpora::one_case& one) {
    const bool is_response = one.kind == corpora::kind::response;
    const std::string head = one.kind == corpora::kind::chunks ? chunked_head : "";
    const auto sent = is_response ? plain_request : head + one.bytes;
    const auto expected = is_response ? one.expected : head + one.expected;
    play script{sent, is_response ? one.bytes : plain_answer, then::keep, {}, 300ms};
    const auto arrived = [is_response](const outcome& seen) { return is_response ? seen.at_client : seen.at_backend; };
    script.enough = [&](const outcome& seen) { return arrived(seen) == expected; };
    const auto seen = run(script);
    auto& group_tally = groups_[group];
    ++group_tally.cases;
    if (arrived(seen) == expected)
        ++group_tally.right;
    else if (meaning_of(arrived(seen)) == meaning_of(expected))
        ++group_tally.nearly;
    else
        group_tally.wrong.push_back(short_name(one) + " (" + std::to_string(status_of(final_answer(seen.at_client))) +
                                    ")");
}

void comparison::refused(const std::string& group, const corpora::one_case& one) {
    if (one.kind == corpora::kind::response || one.kind == corpora::kind::responses)
        hostile(group, std::vector<cases::hostile_answer>{{short_name(one), one.bytes}});
    else if (one.kind == corpora::kind::chunks)
        hostile(group, std::vector<cases::hostile_body>{{short_name(one), one.bytes}});
    else
        hostile(group, std::vector<cases::hostile_request>{{short_name(one), one.bytes}},
                one.bytes.find("chunked") != one.bytes.npos);
}

// Each message is answered on a connection of its own.
void comparison::counted(const std::string& group, const corpora::one_case& one) {
    const bool is_response = one.kind == corpora::kind::responses;
    play script{is_response ? plain_request : one.bytes, is_response ? one.bytes : last_answer, then::close, {}, 700ms};
    const auto seen = run(script);
    auto& group_tally = groups_[group];
    ++group_tally.cases;
    const bool right = is_response ? status_of(final_answer(seen.at_client)) / 100 != 1 &&
                                         is_clean_answer(final_answer(seen.at_client))
                                   : count_requests(seen.at_backend) == one.messages;
    if (right)
        ++group_tally.right;
    else
        group_tally.wrong.push_back(short_name(one) + " (" + std::to_string(status_of(final_answer(seen.at_client))) +
                                    ")");
}

void comparison::corpus(const std::vector<corpora::one_case>& all) {
    for (const auto& one : all) {
        if (one.verdict == corpora::verdict::passes)
            passes(one.section, one);
        else if (one.verdict == corpora::verdict::refused)
            refused(one.section, one);
        else
            counted(one.section, one);
    }
}

void comparison::hostile(const std::string& group, const std::vector<cases::hostile_request>& all, bool may_reach) {
    for (const auto& one : all) {
        play script{one.bytes, "HTTP/1.1 200 OK\r\nX-Backend: yes\r\nContent-Length: 0\r\n\r\n", then::keep, {}, 2s};
        script.enough = [](const outcome& seen) {
            return seen.client_ended != ending::none || lower(seen.at_client).find("x-backend") != std::string::npos;
        };
        const auto seen = run(script);
        // One with chunks may be on its way before they go wrong, if never whole.
        const bool none = may_reach ? !request_size(seen.at_backend) : seen.connections == 0;
        note(group, one.name, none && seen.client_ended != ending::none, is_clean_request(seen.at_backend), seen);
    }
}

void comparison::hostile(const std::string& group, const std::vector<cases::hostile_body>& all) {
    for (const auto& one : all) {
        const auto request = "POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + one.body;
        play script{request, {}, then::keep, {}, 2s};
        script.enough = [](const outcome& so_far) { return request_size(so_far.at_backend).has_value(); };
        const auto seen = run(script);
        const bool refused = !request_size(seen.at_backend) && seen.client_ended != ending::none;
        note(group, one.name, refused, is_clean_request(seen.at_backend), seen);
    }
}

void comparison::hostile(const std::string& group, const std::vector<cases::hostile_answer>& all) {
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
        const bool refused = status == 502 || status == 504 || (answer.empty() && seen.client_ended != ending::none);
        note(group, one.name, refused, is_clean_answer(answer), seen);
    }
}

outcome comparison::run(const play& script) {
    while (backend_.has_connection()) backend_.accept(); // of a case before
    return script.run(port_, backend_);
}

void comparison::note(const std::string& group, const std::string& name, bool refused, bool clean,
                      const outcome& seen) {
    auto& all = groups_[group];
    ++all.cases;
    if (refused)
        ++all.right;
    else if (clean)
        ++all.nearly;
    else
        all.wrong.push_back(name + " (" + std::to_string(status_of(final_answer(seen.at_client))) + ")");
}

} // namespace peers
