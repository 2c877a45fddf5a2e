// One thread of the data plane: its event loop, its listener, its clients' connections and its own idle connections to
// the backend. Workers share nothing that changes but what is in `shared`.
#pragma once

#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"

#include <memory>

namespace sidecar {

class worker {
public:
    // Takes the listening socket over (non-blocking, SO_REUSEPORT).
    worker(shared&, unsigned index, int listening_socket);
    ~worker();
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    // Serves on the calling thread until stopped, or until drained: accepting has ended and no connection is left.
    void run();

    // Any thread, thereafter without effect. A drain goes: announce_drain (answers say `Connection: close`; accepting
    // goes on), end_accepting (closes the listener and idle connections), and in the end stop.
    void announce_drain();
    void end_accepting();
    void stop();

    const worker_metrics& metrics() const noexcept;
    // Any thread. When its loop last turned; nothing: it does not tell.
    time_point last_turn() const noexcept;

private:
    class running;
    std::unique_ptr<running> running_;
};

} // namespace sidecar
