// The data plane's listening socket: what it waits for may come when it is gone.
#include "proxy/data_plane/listener.hpp"
#include "tests/harness/listener.hpp"

#include <boost/asio/post.hpp>

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <thread>

using namespace sidecar;
using namespace std::chrono_literals;

namespace {

// No more descriptors than there are, in this process.
class no_descriptors {
public:
    no_descriptors() {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        const int lowest = ::dup(0);
        ::close(lowest);
        const rlimit none{static_cast<rlim_t>(lowest), before_.rlim_max};
        ::setrlimit(RLIMIT_NOFILE, &none);
    }
    ~no_descriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }
    no_descriptors(const no_descriptors&) = delete;
    no_descriptors& operator=(const no_descriptors&) = delete;

private:
    rlimit before_{};
};

} // namespace

TEST_CASE("the end of a pause that was on its way when the listener went touches nothing") {
    boost::asio::io_context context{1};
    harness::listener socket;
    bool accepted = false;
    std::optional<listener> at;
    at.emplace(context, ::fcntl(socket.descriptor(), F_DUPFD_CLOEXEC, 0), [&](int descriptor, const sockaddr_storage&) {
        accepted = true;
        ::close(descriptor);
    });
    ::fcntl(socket.descriptor(), F_SETFL, O_NONBLOCK);
    const auto client = harness::wire::connect(socket.port());
    {
        const no_descriptors left;
        while (context.poll() == 0) continue; // it can't accept, and pauses
    }
    CHECK(!accepted);
    std::this_thread::sleep_for(150ms); // the pause ends meanwhile; the loop has not looked
    boost::asio::post(context, [&at] { at.reset(); });
    context.poll();
    CHECK(!accepted);
}
