#include "proxy/control_plane/crew.hpp"

#include "proxy/control_plane/sums.hpp"

#include <boost/asio/post.hpp>

#include <pthread.h>
#include <signal.h>

#include <string>
#include <utility>

namespace sidecar {
namespace {

// Signals are the control thread's: a worker's epoll_wait need not be interrupted by them.
class signals_blocked {
public:
    signals_blocked() {
        sigset_t block;
        ::sigemptyset(&block);
        for (const int each : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&block, each);
        ::pthread_sigmask(SIG_BLOCK, &block, &before_);
    }
    ~signals_blocked() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
    signals_blocked(const signals_blocked&) = delete;
    signals_blocked& operator=(const signals_blocked&) = delete;

private:
    sigset_t before_;
};

} // namespace

crew::crew(boost::asio::io_context& home, shared& common, listeners& sockets, unsigned workers,
           std::function<void(std::exception_ptr)> all_ended)
    : home_(home),
      all_ended_(std::move(all_ended)) {
    for (unsigned i = 0; i < workers; ++i)
        workers_.push_back(std::make_unique<worker>(common, i, std::vector{sockets.take(i)}));
}

crew::~crew() {
    stop();
    join();
}

void crew::start() {
    const signals_blocked while_starting; // threads inherit it
    for (unsigned i = 0; i < workers_.size(); ++i) threads_.emplace_back([this, i] { work(*workers_[i], i); });
}

void crew::work(worker& one, unsigned index) {
    ::pthread_setname_np(::pthread_self(), ("worker-" + std::to_string(index)).c_str());
    std::exception_ptr thrown;
    try {
        one.run();
    } catch (...) {
        thrown = std::current_exception();
    }
    boost::asio::post(home_, [this, thrown] { one_ended(thrown); });
}

void crew::one_ended(const std::exception_ptr& thrown) {
    if (thrown && !std::exchange(thrown_, thrown_ ? thrown_ : thrown)) stop();
    if (++ended_ == workers_.size()) all_ended_(thrown_);
}

void crew::take_readiness() {
    for (const auto& each : workers_) each->take_readiness();
}

void crew::announce_drain() {
    for (const auto& each : workers_) each->announce_drain();
}

void crew::end_accepting() {
    for (const auto& each : workers_) each->end_accepting();
}

void crew::stop() {
    for (const auto& each : workers_) each->stop();
}

void crew::join() {
    for (auto& each : threads_)
        if (each.joinable()) each.join();
}

std::optional<crew::stuck_worker> crew::stuck(time_point now, std::chrono::nanoseconds patience) const {
    std::optional<stuck_worker> longest;
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        const auto turned = workers_[i]->last_turn();
        const auto still_for = turned == time_point{} ? std::chrono::nanoseconds(0) : now - turned;
        if (still_for > patience && (!longest || still_for > longest->still_for)) longest = stuck_worker{i, still_for};
    }
    return longest;
}

std::vector<const worker_metrics*> crew::metrics() const {
    std::vector<const worker_metrics*> all;
    for (const auto& each : workers_) all.push_back(&each->metrics());
    return all;
}

std::uint64_t crew::connections_open() const {
    return sum(
        metrics(), [](auto& w) -> auto& { return w.connections_open; });
}

} // namespace sidecar
