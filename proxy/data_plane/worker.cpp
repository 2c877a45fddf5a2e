#include "proxy/data_plane/worker.hpp"

#include "proxy/data_plane/session.hpp"
#include "proxy/data_plane/worker_context.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace sidecar {

namespace {
constexpr int accepts_in_a_row = 32;                   // then those connected have their turn
constexpr std::chrono::milliseconds accept_pause{100}; // when the process is out of descriptors
constexpr std::size_t refusing_max = 64;               // connections beyond the limit that are told so
} // namespace

// Accepts, and owns the sessions.
class worker::running final : private event_target {
public:
    running(shared& of_all, unsigned index, int listening_socket)
        : context_(of_all, index),
          listener_(listening_socket) {
        context_.access_log = of_all.log.open_queue(of_all.current_settings.get()->values.log.buffer_bytes);
        context_.loop.on_deadline = [this] { on_deadline(); };
        if (!context_.loop.add_listener(listener_, *this)) throw std::bad_alloc();
    }

    ~running() {
        while (first_) remove(first_);
        close_listener();
    }

    void run() {
        context_.loop.run([this] { after_events(); });
    }

    void announce_drain() { context_.draining = true; }

    void end_accepting() {
        // Who is in the queue already has connected; closing would reset them.
        while (listener_ >= 0 && accept_one()) continue;
        close_listener();
        context_.draining = true;
        context_.accepting = false;
        for (auto* each = first_; each; each = each->next) each->end_if_idle();
        context_.backend.close_idle();
    }

    worker_context context_;

private:
    void on_event(std::uint32_t) override {
        for (int i = 0; i < accepts_in_a_row && accept_one(); ++i) continue;
    }

    // False: nobody is waiting, or no descriptor is left.
    bool accept_one() {
        sockaddr_storage peer{};
        socklen_t length = sizeof peer;
        const int descriptor =
            ::accept4(listener_, reinterpret_cast<sockaddr*>(&peer), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (descriptor >= 0) {
            admit(descriptor, peer);
            return true;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) pause_accepting();
        return errno == ECONNABORTED || errno == EINTR;
    }

    void admit(int descriptor, const sockaddr_storage& peer) {
        const auto limit = context_.current_settings()->connections_max;
        const auto open = context_.metrics.connections_open.get();
        if (open >= limit) context_.metrics.connections_refused.add();
        if (open >= limit + refusing_max) {
            ::close(descriptor);
            return;
        }
        auto* one = new session(context_, peer, open < limit ? session::admission::serve : session::admission::refuse);
        one->next = first_;
        if (first_) first_->previous = one;
        first_ = one;
        one->start(descriptor);
    }

    // Level-triggered, the listener would wake the loop at once again.
    void pause_accepting() {
        context_.loop.remove_registered(listener_);
        paused_until_ = context_.loop.now() + accept_pause;
        context_.loop.call_at(*paused_until_);
    }

    void on_deadline() {
        context_.backend.expire();
        if (!paused_until_) return;
        if (context_.loop.now() < *paused_until_) return context_.loop.call_at(*paused_until_);
        paused_until_.reset();
        if (listener_ >= 0 && !context_.loop.add_listener(listener_, *this)) pause_accepting();
    }

    void after_events() {
        for (auto* one : std::exchange(context_.ended_sessions, {})) remove(one);
        if (listener_ < 0 && !first_) context_.loop.stop();
    }

    void remove(session* one) {
        if (one->previous) one->previous->next = one->next;
        if (one->next) one->next->previous = one->previous;
        if (first_ == one) first_ = one->next;
        delete one;
    }

    void close_listener() {
        if (listener_ < 0) return;
        context_.loop.remove(listener_);
        ::close(std::exchange(listener_, -1));
    }

    int listener_;
    session* first_ = nullptr;
    std::optional<time_point> paused_until_;
};

worker::worker(shared& of_all, unsigned index, int listening_socket)
    : running_(std::make_unique<running>(of_all, index, listening_socket)) {}

worker::~worker() = default;

void worker::run() { running_->run(); }

void worker::announce_drain() {
    running_->context_.loop.post([this] { running_->announce_drain(); });
}

void worker::end_accepting() {
    running_->context_.loop.post([this] { running_->end_accepting(); });
}

void worker::stop() {
    running_->context_.loop.post([this] { running_->context_.loop.stop(); });
}

const worker_metrics& worker::metrics() const noexcept { return running_->context_.metrics; }

time_point worker::last_turn() const noexcept { return {}; }

} // namespace sidecar
