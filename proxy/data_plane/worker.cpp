#include "proxy/data_plane/worker.hpp"

#include "proxy/data_plane/listener.hpp"
#include "proxy/data_plane/session.hpp"
#include "proxy/data_plane/worker_state.hpp"

#include <boost/asio/bind_allocator.hpp>
#include <boost/asio/post.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <new>
#include <utility>

namespace sidecar {

namespace {
constexpr std::size_t refusing_max = 64;      // connections beyond the limit that are told so
constexpr std::chrono::seconds heartbeat{1};  // how often a worker at rest turns
constexpr std::chrono::seconds cut_within{1}; // at a stop: then what has not ended goes with the worker
constexpr std::chrono::seconds upstream_stalls_after{5};

// Before an allocation of a worker's thread fails, what its pools keep is freed.
void free_what_is_kept() {
    const bool blocks = buffer_pool::free_kept();
    const bool frames = frame_memory::of_this_thread().free_kept();
    if (!blocks && !frames) throw std::bad_alloc();
}

} // namespace

// Owns the listeners and the sessions.
class worker::running {
public:
    running(shared& of_all, unsigned index, const std::vector<int>& listening_sockets)
        : state_(of_all, index),
          heartbeat_(state_.context),
          cut_(state_.context) {
        state_.lines.open(of_all.current_settings.get()->values.log.buffer_bytes);
        for (const int each : listening_sockets)
            listeners_.push_back(
                std::make_unique<listener>(state_.context, each, [this](int descriptor, const sockaddr_storage& peer) {
                    admit(descriptor, peer);
                }));
    }

    ~running() {
        while (first_) {
            if (!first_->is_idle()) first_->client.reset(); // what it got must not be taken for the whole
            remove(first_);
        }
        reap();
    }
    running(const running&) = delete;
    running& operator=(const running&) = delete;

    // Memory that is missing outside of a session, where it costs but that session, must not end the worker.
    void run() {
        std::set_new_handler(free_what_is_kept);
        turn();
        while (!state_.context.stopped()) {
            try {
                state_.context.run();
            } catch (const std::bad_alloc&) {
                continue;
            }
        }
    }

    void announce_drain() { state_.draining = true; }

    void end_accepting() {
        state_.timers.update_now();
        // Who is in the queue already has connected; closing would reset them.
        for (const auto& each : listeners_) each->end();
        state_.draining = true;
        state_.accepting = false;
        for (auto* each = first_; each; each = each->next) each->end_if_idle();
        state_.backend.close_idle();
        stop_when_drained();
    }

    void stop() {
        if (std::exchange(state_.cutting, true)) return;
        end_accepting();
        for (auto* each = first_; each; each = each->next) each->cut();
        // They end when they are resumed next.
        cut_.expires_after(cut_within);
        cut_.async_wait(boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
            if (!error) state_.context.stop();
        }));
    }

    void admit(int descriptor, const sockaddr_storage& peer) {
        state_.timers.update_now();
        const auto limit = state_.current_settings()->connections_max;
        const auto open = state_.metrics.connections_open.get();
        if (open >= limit) state_.metrics.connections_refused.add();
        if (open >= limit + refusing_max) {
            ::close(descriptor);
            return;
        }
        const auto admission = open < limit ? session::admission::serve : session::admission::refuse;
        auto* one = new session(state_, peer, admission, [this](session& ended) { has_ended(ended); });
        one->next = first_;
        if (first_) first_->previous = one;
        first_ = one;
        one->start(descriptor);
    }

    worker_state state_;
    std::atomic<time_point::rep> last_turn_{0};

private:
    void turn() {
        last_turn_.store(std::chrono::steady_clock::now().time_since_epoch().count(), std::memory_order_relaxed);
        state_.give_memory_back();
        heartbeat_.expires_after(heartbeat);
        heartbeat_.async_wait(
            boost::asio::bind_allocator(memory_.get(), [this](const boost::system::error_code& error) {
                if (!error) turn();
            }));
        for (const auto& each : listeners_) each->revive();
        state_.backend.use(*state_.current_settings()); // what a reload has changed holds for who waits, too
        count_stalled();
    }

    void count_stalled() noexcept {
        std::uint64_t stalled = 0;
        if (state_.metrics.requests_in_flight.get() != 0) { // else there may be thousands at rest
            state_.timers.update_now();
            const auto since = state_.timers.now() - upstream_stalls_after;
            for (const auto* each = first_; each; each = each->next)
                if (each->backend_waited_for_since() <= since) ++stalled;
        }
        state_.metrics.upstream_stalled.set(stalled);
    }

    // Within the session's own coroutine: it is destroyed afterwards.
    void has_ended(session& one) {
        unlink(one);
        one.next = std::exchange(ended_, &one);
        if (!one.next)
            boost::asio::post(state_.context, boost::asio::bind_allocator(memory_.get(), [this] { reap(); }));
    }

    void reap() {
        while (ended_) delete std::exchange(ended_, ended_->next);
        stop_when_drained();
    }

    void stop_when_drained() {
        if (!state_.accepting && !first_ && !ended_) state_.context.stop();
    }

    void unlink(session& one) noexcept {
        if (one.previous) one.previous->next = one.next;
        if (one.next) one.next->previous = one.previous;
        if (first_ == &one) first_ = one.next;
        one.previous = one.next = nullptr;
    }

    void remove(session* one) {
        unlink(*one);
        delete one;
    }

    handler_memory memory_;
    boost::asio::steady_timer heartbeat_;
    boost::asio::steady_timer cut_;
    std::vector<std::unique_ptr<listener>> listeners_;
    session* first_ = nullptr;
    session* ended_ = nullptr;
};

worker::worker(shared& of_all, unsigned index, const std::vector<int>& listening_sockets)
    : running_(std::make_unique<running>(of_all, index, listening_sockets)) {}

worker::~worker() = default;

void worker::run() { running_->run(); }

void worker::announce_drain() {
    boost::asio::post(running_->state_.context, [this] { running_->announce_drain(); });
}

void worker::end_accepting() {
    boost::asio::post(running_->state_.context, [this] { running_->end_accepting(); });
}

void worker::stop() {
    boost::asio::post(running_->state_.context, [this] { running_->stop(); });
}

void worker::take_readiness() {
    boost::asio::post(running_->state_.context, [this] { running_->state_.current(); });
}

const worker_metrics& worker::metrics() const noexcept { return running_->state_.metrics; }

time_point worker::last_turn() const noexcept {
    return time_point(time_point::duration(running_->last_turn_.load(std::memory_order_relaxed)));
}

void worker::adopt(int descriptor) { running_->admit(descriptor, {}); }

std::size_t worker::poll() {
    if (running_->state_.context.stopped()) running_->state_.context.restart();
    return running_->state_.context.poll();
}

void worker::skip_time(std::chrono::milliseconds by) { running_->state_.timers.skip(by); }

} // namespace sidecar
