#include "proxy/control_plane/file_watch.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>

#include <sys/inotify.h>
#include <sys/stat.h>

#include <array>
#include <optional>
#include <utility>

namespace sidecar {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

// What the path leads to, through all symlinks; another file, or the same one written to, differs in it.
struct signature {
    dev_t device;
    ino_t inode;
    off_t bytes;
    std::int64_t modified_nanoseconds;
    std::int64_t changed_nanoseconds;
    friend bool operator==(const signature&, const signature&) = default;
};

std::int64_t nanoseconds(const timespec& at) { return std::int64_t{at.tv_sec} * 1'000'000'000 + at.tv_nsec; }

std::optional<signature> look_at(const std::filesystem::path& file) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) return std::nullopt;
    return signature{found.st_dev, found.st_ino, found.st_size, nanoseconds(found.st_mtim), nanoseconds(found.st_ctim)};
}

} // namespace

// Outlives the file_watch while handlers are under way; `closed_` tells them.
class file_watch::watching : public std::enable_shared_from_this<watching> {
public:
    watching(asio::io_context& io, std::filesystem::path file, std::function<void()> on_change, periods every)
        : file_(std::move(file)),
          on_change_(std::move(on_change)),
          every_(every),
          events_(io),
          settle_(io),
          look_again_(io),
          seen_(look_at(file_)) {}

    void start() {
        const int descriptor = ::inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
        if (descriptor >= 0) {
            events_.assign(descriptor);
            watch_directory();
            await_events();
        }
        await_look();
    }

    void close() {
        closed_ = true;
        error_code ignored;
        events_.close(ignored);
        settle_.cancel();
        look_again_.cancel();
    }

private:
    // Again and again: the directory itself may have been replaced. The kernel knows it if it was not.
    void watch_directory() {
        if (!events_.is_open()) return;
        const auto directory = file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
        constexpr std::uint32_t changes = IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_ATTRIB | IN_DELETE_SELF;
        ::inotify_add_watch(events_.native_handle(), directory.c_str(), changes);
    }

    // Which file an event names does not matter: whether ours has changed is looked up.
    void await_events() {
        events_.async_read_some(asio::buffer(buffer_), [self = shared_from_this()](error_code ec, std::size_t) {
            if (ec || self->closed_) return;
            self->await_events();
            self->await_settling();
        });
    }

    void await_settling() {
        settle_.expires_after(every_.settle);
        settle_.async_wait([self = shared_from_this()](error_code ec) {
            if (!ec && !self->closed_) self->look();
        });
    }

    void await_look() {
        look_again_.expires_after(every_.look_again);
        look_again_.async_wait([self = shared_from_this()](error_code ec) {
            if (ec || self->closed_) return;
            self->await_look(); // first: what follows from a look may throw where memory is missing
            self->watch_directory();
            self->look();
        });
    }

    void look() {
        const auto now = look_at(file_);
        if (!now || now == seen_) return;
        seen_ = now;
        on_change_();
    }

    std::filesystem::path file_;
    std::function<void()> on_change_;
    periods every_;
    asio::posix::stream_descriptor events_;
    asio::steady_timer settle_;
    asio::steady_timer look_again_;
    std::optional<signature> seen_;
    std::array<char, 4096> buffer_{};
    bool closed_ = false;
};

file_watch::file_watch(asio::io_context& io, std::filesystem::path file, std::function<void()> on_change, periods every)
    : watching_(std::make_shared<watching>(io, std::move(file), std::move(on_change), every)) {
    watching_->start();
}

file_watch::~file_watch() { watching_->close(); }

} // namespace sidecar
