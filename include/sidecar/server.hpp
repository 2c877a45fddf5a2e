// The whole sidecar in one object: what main runs and what the tests start in-process.
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/log.hpp"
#include "sidecar/result.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace sidecar {

class server {
public:
    // `reload` is called (on the control thread) on request_reload(); it returns the new configuration or why not.
    using reload_source = std::function<result<config>()>;

    // Binds the listeners; throws std::runtime_error, with the address in its words, if it can't.
    explicit server(const config&, log&, reload_source = {});
    ~server(); // stops at once if still running
    server(const server&) = delete;
    server& operator=(const server&) = delete;

    // Before run(), by main; tests in one process leave them to their own process. SIGTERM, SIGINT: drain, the second
    // stops at once; SIGHUP: reload; SIGPIPE: ignored.
    void handle_signals();
    // The socket of a service manager that is to be told (sd_notify(3)): when it serves, reloads, begins to end.
    void notify_service(std::string socket);
    // A change of this file: reload.
    void watch(const std::filesystem::path& config_file);

    std::uint16_t port() const noexcept;       // where clients connect; the one chosen if the config says 0
    std::uint16_t admin_port() const noexcept; // 0 if off

    // Serves until drained or stopped. The calling thread becomes the control thread.
    void run();

    // Any thread, and more than once. drain(): docs/behaviour.md 8. stop(): at once.
    void drain();
    void stop();
    void request_reload();

private:
    class running;
    std::unique_ptr<running> running_;
};

} // namespace sidecar
