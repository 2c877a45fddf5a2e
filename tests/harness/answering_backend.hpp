// A backend that answers each request, on a thread of its own, with what a function makes of it. Connections are kept
// until the other side ends them or an answer says `Connection: close`.
#pragma once

#include "tests/harness/listener.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace harness {

class answering_backend {
public:
    // Called with the whole request; gives the whole answer. An empty one closes the connection instead.
    using answerer = std::function<std::string(std::string_view request)>;

    explicit answering_backend(answerer answer);
    explicit answering_backend(std::string answer);
    ~answering_backend();
    answering_backend(const answering_backend&) = delete;
    answering_backend& operator=(const answering_backend&) = delete;

    std::uint16_t port() const noexcept { return listener_.port(); }
    std::vector<std::string> requests() const; // so far, whole
    std::size_t connections() const noexcept { return connections_; }

private:
    struct client;
    void serve();
    bool advance(client&);

    listener listener_;
    answerer answer_;
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::atomic<std::size_t> connections_{0};
    int stop_read_ = -1, stop_write_ = -1;
    std::thread thread_;
};

// An answer with a Content-Length.
std::string answer_with(std::string_view body, std::string_view status = "200 OK",
                        std::string_view more_lines = "Content-Type: application/json\r\n");

} // namespace harness
