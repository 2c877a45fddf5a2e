// The workers and their threads: started, told and ended together. Control thread.
#pragma once

#include "proxy/control_plane/listeners.hpp"
#include "proxy/data_plane/worker.hpp"

#include <boost/asio/io_context.hpp>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

namespace sidecar {

class crew {
public:
    // `all_ended` is called on home's thread when the last worker's run() is over; the exception is the first that
    // ended one, if any: then the others have been stopped, too.
    crew(boost::asio::io_context& home, shared&, listeners&, unsigned workers,
         std::function<void(std::exception_ptr)> all_ended);
    ~crew(); // stops and waits
    crew(const crew&) = delete;
    crew& operator=(const crew&) = delete;

    void start();
    void take_readiness();
    void announce_drain();
    void end_accepting();
    void stop();
    void join();

    // The worker that has not turned for longest, if that is longer than `patience`.
    struct stuck_worker {
        std::size_t index = 0;
        std::chrono::nanoseconds still_for{0};
    };
    std::optional<stuck_worker> stuck(time_point now, std::chrono::nanoseconds patience) const;

    std::vector<const worker_metrics*> metrics() const;
    std::uint64_t connections_open() const;

private:
    void work(worker&, unsigned index);
    void one_ended(const std::exception_ptr& thrown);

    boost::asio::io_context& home_;
    std::function<void(std::exception_ptr)> all_ended_;
    std::vector<std::unique_ptr<worker>> workers_;
    std::vector<std::thread> threads_;
    std::size_t ended_ = 0;
    std::exception_ptr thrown_;
};

} // namespace sidecar
