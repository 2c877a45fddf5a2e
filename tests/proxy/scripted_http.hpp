// An HTTP server for tests that answers by a script, over TCP or TLS, a thread for each connection. The script sees
// the request's head and says what to send, byte for byte; it may wait in there, to hold a request.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

struct ssl_ctx_st;

namespace sidecar::testing {

class scripted_http {
public:
    struct answer {
        std::string bytes;
        bool then_close = false;
    };
    using script = std::function<answer(const std::string& request_head)>;

    // `port` 0: one is chosen. With a certificate and key file: TLS.
    explicit scripted_http(script, std::uint16_t port = 0, const std::string& certificate = {},
                           const std::string& key = {});
    ~scripted_http();
    scripted_http(const scripted_http&) = delete;
    scripted_http& operator=(const scripted_http&) = delete;

    std::uint16_t port() const noexcept { return port_; }
    std::string url(const std::string& path = "/internal/consistency") const;

    std::vector<std::string> requests() const; // heads, in the order of arrival
    std::size_t requests_count() const;
    std::size_t connections_count() const noexcept { return connections_; }
    bool stopping() const noexcept { return stopping_; } // a script that waits looks at it

private:
    void accept_all();
    void serve(int socket);

    script script_;
    std::uint16_t port_ = 0;
    int listener_ = -1;
    std::shared_ptr<ssl_ctx_st> tls_;
    std::atomic<bool> stopping_{false};
    std::atomic<std::size_t> connections_{0};
    mutable std::mutex mutex_;
    std::vector<std::string> requests_;
    std::vector<int> sockets_;
    std::vector<std::thread> threads_;
    std::thread acceptor_;
};

// The value of a field in a head, or "".
std::string field(const std::string& head, const std::string& name);

// 200 with JSON; a non-empty etag goes along.
scripted_http::answer json(const std::string& body, const std::string& etag = {}, const std::string& more_fields = {});
scripted_http::answer status(int code, const std::string& more_fields = {});

} // namespace sidecar::testing
