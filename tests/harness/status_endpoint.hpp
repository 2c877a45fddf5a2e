// The backend's status endpoint (docs/behaviour.md 7), whose document the test sets.
#pragma once

#include "tests/harness/answering_backend.hpp"

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace harness {

class status_endpoint {
public:
    explicit status_endpoint(std::string_view document = "{}") : answer_(answer_with(document)) {}

    std::string url() const { return "http://127.0.0.1:" + std::to_string(backend_.port()) + "/internal/consistency"; }

    // Returns when the sidecar has taken it: a poll that was sent after the one that brought it has come.
    void publish(std::string_view document) { answer_from_now(answer_with(document)); }
    // Polls fail from now on; returns when one has.
    void fail() { answer_from_now("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"); }
    // Returns when the sidecar has taken what is being said.
    void await_polled() { answer_from_now({}); }
    // Holds polls back, unanswered, until something is published; returns when one is being held.
    void hold();
    // Answers the poll that is being held; returns when it has been taken and the next one is held.
    void release_one();

private:
    std::string answer_poll();
    void answer_from_now(std::string answer);
    void await_polls(std::unique_lock<std::mutex>&, std::uint64_t enough);

    std::mutex mutex_;
    std::condition_variable polled_;
    std::string answer_;
    std::uint64_t polls_ = 0;
    std::uint64_t released_ = 0; // polls up to this one are not held
    bool held_ = false;
    bool ending_ = false;

    // Last, so that its thread ends before what it uses. Ended by `release`.
    struct release {
        status_endpoint& of;
        ~release();
    };
    answering_backend backend_{[this](std::string_view) { return answer_poll(); }};
    release release_{*this};
};

} // namespace harness
