#include "tests/soak/pieces.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <thread>

namespace soak {

bool send_in_pieces(harness::wire& to, std::string_view bytes, dice& d, bool urgent) {
    while (!bytes.empty()) {
        // One at most, and before the last byte, so that it has been read past when the next one comes: until then it
        // would be a byte like any other.
        if (urgent && d.one_in(3)) {
            ::send(to.descriptor(), "!", 1, MSG_OOB | MSG_NOSIGNAL);
            urgent = false;
        }
        const auto n = std::min<std::size_t>(bytes.size(), d.one_in(3) ? 1 + d.below(200) : 1 + d.below(60'000));
        if (!to.try_send(bytes.substr(0, n))) return false;
        bytes.remove_prefix(n);
        if (d.one_in(40)) std::this_thread::yield();
    }
    return true;
}

} // namespace soak
