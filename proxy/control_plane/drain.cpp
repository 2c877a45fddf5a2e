#include "proxy/control_plane/drain.hpp"

#include <utility>

namespace sidecar {

using boost::system::error_code;

drain_sequence::drain_sequence(boost::asio::io_context& io, steps each) : timer_(io), steps_(std::move(each)) {}

void drain_sequence::begin(const drain_config& values) {
    if (std::exchange(begun_, true)) return;
    // Each wait before the step that may throw, so that where memory is missing the next one comes all the same.
    timer_.expires_after(values.accept_for);
    timer_.async_wait([this, timeout = values.timeout](error_code ec) {
        if (ec) return;
        timer_.expires_after(timeout);
        timer_.async_wait([this](error_code late_ec) {
            if (!late_ec) steps_.give_up();
        });
        steps_.end_accepting();
    });
    steps_.announce();
}

void drain_sequence::end() { timer_.cancel(); }

} // namespace sidecar
