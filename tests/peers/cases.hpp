// What passes a proxy and must come out as it went in, as tables: the tests hold this sidecar to them, and
// peer_compare shows what others do.
#pragma once

#include <string>
#include <vector>

namespace cases {

// A request and its answer, to the byte. `at_backend` and `at_client` are what must arrive; empty: what was sent.
struct transparent {
    std::string name;
    std::string sent;
    std::string answered = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    std::string at_backend = {};
    std::string at_client = {};
    bool until_close = false; // the backend ends the connection behind its answer

    const std::string& expected_at_backend() const { return at_backend.empty() ? sent : at_backend; }
    const std::string& expected_at_client() const { return at_client.empty() ? answered : at_client; }
};

std::vector<transparent> targets();
std::vector<transparent> request_heads();
std::vector<transparent> request_bodies();
std::vector<transparent> hop_by_hop();
std::vector<transparent> answer_heads();
std::vector<transparent> answer_bodies();

// Must be answered with a 4xx and the connection closed, and nothing of it may reach the backend.
struct hostile_request {
    std::string name;
    std::string bytes;
};
std::vector<hostile_request> hostile_framing();
std::vector<hostile_request> hostile_hosts();
std::vector<hostile_request> hostile_targets();
std::vector<hostile_request> hostile_lines();

// A good head, and a body that goes wrong: the backend must never get it whole. `head` + `body` is sent.
struct hostile_body {
    std::string name;
    std::string body; // chunked
};
std::vector<hostile_body> hostile_chunks();

// Must become a 502, and the connection be closed. `ends`: the backend ends the connection behind it.
struct hostile_answer {
    std::string name;
    std::string bytes;
    bool ends = false;
};
std::vector<hostile_answer> hostile_answers();

} // namespace cases
