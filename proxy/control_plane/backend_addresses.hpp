// What the names of the backend and of status.url's host resolve to, asked again from time to time: soon while one
// does not resolve, seldom otherwise. Control thread.
#pragma once

#include "proxy/control_plane/name_lookup.hpp"
#include "sidecar/config.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <array>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sidecar {

class backend_addresses {
public:
    struct periods {
        std::chrono::milliseconds patience{1'000}; // follow() waits so long for the first answers
        std::chrono::milliseconds unresolved{1'000};
        std::chrono::milliseconds resolved{30'000};
    };

    // `on_change`: after follow() has settled, another answer than before has come. `on_unresolved`: the backend's name
    // does not resolve; once, until it does.
    backend_addresses(boost::asio::io_context&, std::function<void()> on_change,
                      std::function<void(const std::string& host)> on_unresolved, periods);
    ~backend_addresses();
    backend_addresses(const backend_addresses&) = delete;
    backend_addresses& operator=(const backend_addresses&) = delete;

    // From now on these names. `settled` is called once: when both have been answered or patience has ended.
    void follow(const config&, std::function<void()> settled);

    const std::vector<socket_address>& upstream() const noexcept;
    const std::vector<socket_address>& status() const noexcept;

private:
    class following;
    boost::asio::io_context& io_;
    std::function<void()> on_change_;
    std::function<void(const std::string&)> on_unresolved_;
    periods every_;
    std::shared_ptr<following> following_; // replaced by each follow()
};

} // namespace sidecar
