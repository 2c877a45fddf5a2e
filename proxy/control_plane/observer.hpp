// Looks at the counters each second, keeps their history, and says what is wrong, when it begins and when it ends: in
// the log, and for the admin page. Control thread.
#pragma once

#include "proxy/control_plane/health.hpp"
#include "proxy/control_plane/history.hpp"
#include "proxy/control_plane/standing.hpp"
#include "sidecar/log.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <functional>
#include <string>

namespace sidecar {

class observer {
public:
    // `look` is asked each second from start() on.
    observer(boost::asio::io_context&, log&, std::function<standing()> look);

    void start();
    void stop();
    void note(event_kind, std::string text, std::string label = {}); // what happened

    const observations& seen() const noexcept { return seen_; }

    void look_now(); // something has happened that is to be seen at once

    // One look; without the timer, for tests.
    void look_at(const standing&);

private:
    void wait();
    void tell(const trouble_watch::change&, const standing&);

    boost::asio::steady_timer timer_;
    sidecar::log& log_;
    std::function<standing()> look_;
    observations seen_;
};

// What is to be judged of a standing, and of what has been.
symptoms read_symptoms(const standing&, const history&);

// The banner of the moment.
verdict judge(const standing&);

} // namespace sidecar
