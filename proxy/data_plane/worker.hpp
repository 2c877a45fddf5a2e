// One thread of the data plane: its io_context, its listeners, its clients' connections and its own idle connections to
// the backend. Workers share nothing that changes but what is in `shared`.
#pragma once

#include "proxy/shared.hpp"
#include "sidecar/metrics.hpp"
#include "sidecar/readiness.hpp"

#include <chrono>
#include <cstddef>
#include <memory>
#include <vector>

namespace sidecar {

class worker {
public:
    // Takes the listening sockets over (non-blocking; SO_REUSEPORT where others listen, too).
    worker(shared&, unsigned index, const std::vector<int>& listening_sockets);
    ~worker();
    worker(const worker&) = delete;
    worker& operator=(const worker&) = delete;

    // Serves on the calling thread until stopped, or until drained: accepting has ended and no connection is left.
    void run();

    // Any thread, thereafter without effect. A drain goes: announce_drain (responses say `Connection: close`; accepting
    // goes on), end_accepting (closes the listeners and idle connections), and in the end stop, which cuts what is
    // still under way: its clients see a reset, and it is logged and counted as failed.
    void announce_drain();
    void end_accepting();
    void stop();

    // Any thread. What has been published is taken over, and what was before let go, without waiting for a request.
    void take_readiness();

    const worker_metrics& metrics() const noexcept;
    // Any thread. When its loop last turned; it does so each second at least, unless it hangs.
    time_point last_turn() const noexcept;

    // In place of run(), on the calling thread: serves this connected stream socket as if it had been accepted; does
    // what can be done now, without waiting, and says how much; lets the worker's clock jump. For tests.
    void adopt(int descriptor);
    std::size_t poll();
    void skip_time(std::chrono::milliseconds);

private:
    class running;
    std::unique_ptr<running> running_;
};

} // namespace sidecar
