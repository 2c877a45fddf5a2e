#include "proxy/log/doorbell.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <system_error>

namespace sidecar {

doorbell::doorbell() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

doorbell::~doorbell() { ::close(descriptor_); }

void doorbell::ring() noexcept {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(descriptor_, &one, sizeof one); // full: it rings already
}

bool doorbell::wait(int writable_descriptor, std::chrono::milliseconds most) noexcept {
    std::array<pollfd, 2> watched{{{descriptor_, POLLIN, 0}, {writable_descriptor, POLLOUT, 0}}}; // -1 is passed over
    if (::poll(watched.data(), watched.size(), static_cast<int>(most.count())) <= 0) return false;
    if (watched[0].revents != 0) {
        std::uint64_t rung = 0;
        [[maybe_unused]] const auto got = ::read(descriptor_, &rung, sizeof rung);
    }
    return watched[1].revents != 0;
}

} // namespace sidecar
