// The sidecar, whole and in this process, on a free port: one worker, no admin listener, quick polls, unless the test
// edits that. It stops at the end of the scope.
#pragma once

#include "sidecar/server.hpp"
#include "tests/harness/listener.hpp"
#include "tests/harness/status_endpoint.hpp"

#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace harness {

using sidecar::config;

class sidecar_under_test {
public:
    using edit = std::function<void(config&)>;

    // In front of the backend at this port.
    explicit sidecar_under_test(std::uint16_t backend, const edit& edited = {});
    template <class Backend>
    explicit sidecar_under_test(const Backend& backend, const edit& edited = {})
        : sidecar_under_test(backend.port(), edited) {}
    // Fed by this status endpoint; returns when its document has been taken.
    template <class Backend>
    sidecar_under_test(const Backend& backend, status_endpoint& status, const edit& edited = {})
        : sidecar_under_test(backend.port(), [&](config& c) {
              c.status.url = status.url();
              if (edited) edited(c);
          }) {
        status.await_polled();
    }
    ~sidecar_under_test();
    sidecar_under_test(const sidecar_under_test&) = delete;
    sidecar_under_test& operator=(const sidecar_under_test&) = delete;

    std::uint16_t port() const noexcept { return server_->port(); }
    std::uint16_t admin_port() const noexcept { return server_->admin_port(); }
    wire connect(int receive_buffer = 0) const { return wire::connect(port(), receive_buffer); }

    // One request on a connection of its own, and the whole answer.
    message ask(std::string_view request) const;

    void drain() { server_->drain(); }
    // The configuration that it was started with, edited again; returns when it is in force.
    void reload(const edit& edited);
    void await_end(); // of run(), after a drain
    bool has_ended() const;
    // What has been logged so far.
    std::string log_lines() const;
    // The same, once it holds this.
    std::string await_log(std::string_view text) const;

private:
    closed_port no_status_;
    std::mutex mutex_;
    config next_; // for a reload
    int log_descriptor_;
    std::unique_ptr<sidecar::log> log_;
    std::unique_ptr<sidecar::server> server_;
    std::future<void> running_;
};

} // namespace harness
