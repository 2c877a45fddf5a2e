// How the sidecar ends (docs/behaviour.md 8), as a sequence in time: it is told; goes on accepting for a while, since
// the cluster goes on sending; then lets what is under way come to its end; and at last stops what has not. Control
// thread.
#pragma once

#include "sidecar/config.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>

namespace sidecar {

class drain_sequence {
public:
    struct steps {
        std::function<void()> announce;
        std::function<void()> end_accepting;
        std::function<void()> give_up; // the timeout has passed
    };

    drain_sequence(boost::asio::io_context&, steps);

    void begin(const drain_config&); // once; later calls change nothing
    void end();                      // all have ended by themselves
    bool begun() const noexcept { return begun_; }

private:
    boost::asio::steady_timer timer_;
    steps steps_;
    bool begun_ = false;
};

} // namespace sidecar
