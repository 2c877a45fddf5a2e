#include "proxy/log/log_output.hpp"

#include <limits.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace sidecar {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

log_output::log_output(int descriptor, doorbell& bell)
    : descriptor_(descriptor),
      kind_([descriptor] {
          struct stat about {};
          if (::fstat(descriptor, &about) != 0) return kind::other;
          if (S_ISREG(about.st_mode)) return kind::file;
          return S_ISSOCK(about.st_mode) ? kind::socket : kind::other;
      }()),
      bell_(bell) {}

std::size_t log_output::write(std::string_view bytes) {
    if (cut_a_line_ && write_whole("\n") == 1) cut_a_line_ = false;
    const auto written = cut_a_line_ ? 0 : write_whole(bytes);
    works_ = written == bytes.size();
    if (!works_ && written != 0) cut_a_line_ = bytes[written - 1] != '\n';
    return written;
}

std::size_t log_output::write_whole(std::string_view bytes) {
    std::size_t written = 0;
    while (written < bytes.size()) {
        if (kind_ != kind::file && !wait_until_writable()) break;
        const auto wrote = write_some(bytes.substr(written));
        if (wrote == -EINTR || wrote == -EAGAIN) continue;
        if (wrote <= 0) break;
        written += static_cast<std::size_t>(wrote);
    }
    return written;
}

std::ptrdiff_t log_output::write_some(std::string_view bytes) {
    std::ptrdiff_t wrote = 0;
    if (kind_ == kind::socket)
        wrote = ::send(descriptor_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    else if (kind_ == kind::file)
        wrote = ::write(descriptor_, bytes.data(), bytes.size());
    else // a pipe that can be written to takes PIPE_BUF bytes without blocking
        wrote = ::write(descriptor_, bytes.data(), std::min<std::size_t>(bytes.size(), PIPE_BUF));
    return wrote < 0 ? -errno : wrote;
}

bool log_output::wait_until_writable() {
    for (;;) {
        const auto most = patience();
        if (bell_.wait(descriptor_, most)) return true;
        if (most.count() == 0) return false;
    }
}

milliseconds log_output::patience() const noexcept {
    const auto end_at = end_at_.load();
    if (end_at == 0) return milliseconds(-1);
    const steady_clock::time_point end{steady_clock::duration(end_at)};
    return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(end - steady_clock::now()));
}

void log_output::end_within(milliseconds time) { end_at_ = (steady_clock::now() + time).time_since_epoch().count(); }

} // namespace sidecar
