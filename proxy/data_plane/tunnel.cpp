// After a 101: bytes both ways, whatever they are, until both sides have ended or nothing moves for too long.
#include "proxy/data_plane/exchange.hpp"

#include "proxy/data_plane/worker_context.hpp"

namespace sidecar {

namespace {

// One direction. Its end is passed on when all before it has been.
class stream {
public:
    stream(connection& from, connection& to, buffer& through, outbox& waiting)
        : from_(from),
          to_(to),
          through_(through),
          waiting_(waiting) {}

    bool ended() const noexcept { return end_passed_; }
    bool broken() const noexcept { return broken_; }
    std::uint64_t bytes() const noexcept { return bytes_; }

    bool step() {
        if (end_passed_ || broken_) return false;
        if (!waiting_.empty()) {
            if (!to_.may_write()) return false;
            const auto written = waiting_.flush(to_);
            bytes_ += written.bytes;
            broken_ = written.status == io::error;
            return written.status != io::again;
        }
        if (end_seen_) {
            to_.end_writing();
            end_passed_ = true;
            return true;
        }
        if (!from_.may_read()) return false;
        through_.consume(through_.data().size());
        through_.reserve(buffer_pool::small_bytes);
        const auto read = from_.read(through_.space());
        if (read.status == io::again) return false;
        end_seen_ = read.status == io::end;
        broken_ = read.status == io::error;
        through_.commit(read.bytes);
        waiting_.add(through_.data());
        return true;
    }

private:
    connection& from_;
    connection& to_;
    buffer& through_;
    outbox& waiting_;
    bool end_seen_ = false;
    bool end_passed_ = false;
    bool broken_ = false;
    std::uint64_t bytes_ = 0;
};

} // namespace

task<> exchange::tunnel() {
    auto& s = *state_;
    // Bytes that the client sent behind its request belong to the tunnel.
    s.to_backend.add(session_.received.data().substr(received_used_));
    received_used_ = session_.received.data().size();
    stream up(client_, backend_->link, s.from_client, s.to_backend);
    stream down(backend_->link, client_, s.from_backend, s.to_client);
    for (int round = 0; !up.broken() && !down.broken() && !(up.ended() && down.ended()); ++round) {
        const bool moved_up = up.step();
        const bool moved_down = down.step();
        if (moved_up || moved_down) {
            if (round % 16 == 15) co_await session_.yield();
            continue;
        }
        const auto woken_by =
            co_await session_.wait_until(context_.loop.now() + settings_->values.downstream.tunnel_timeout);
        if (woken_by == woken::by_deadline) break;
    }
    bytes_from_client_ += up.bytes();
    bytes_to_client_ += down.bytes();
    backend_.reset();
}

} // namespace sidecar
