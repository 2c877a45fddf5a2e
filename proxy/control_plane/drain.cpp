#include "proxy/control_plane/drain.hpp"

#include <utility>

namespace sidecar {

using boost::system::error_code;

drain_sequence::drain_sequence(boost::asio::io_context& io, steps each) : timer_(io), steps_(std::move(each)) {}

void drain_sequence::begin(const drain_config& values) {
    if (std::exchange(begun_, true)) return;
    steps_.announce();
    timer_.expires_after(values.accept_for);
    timer_.async_wait([this, timeout = values.timeout](error_code ec) {
        if (ec) return;
        steps_.end_accepting();
        timer_.expires_after(timeout);
        timer_.async_wait([this](error_code late_ec) {
            if (!late_ec) steps_.give_up();
        });
    });
}

void drain_sequence::end() { timer_.cancel(); }

} // namespace sidecar
