#include "proxy/control_plane/name_lookup.hpp"

#include <boost/asio/execution_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>
#include <sys/un.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <map>
#include <mutex>
#include <optional>
#include <utility>

namespace sidecar {
namespace {

// The path fits: the configuration has been read.
socket_address unix_address(const std::string& path) {
    socket_address address;
    auto& local = reinterpret_cast<sockaddr_un&>(address.storage);
    local.sun_family = AF_UNIX;
    const auto length = std::min(path.size(), sizeof local.sun_path - 1);
    std::memcpy(local.sun_path, path.data(), length);
    address.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length + 1);
    return address;
}

std::vector<socket_address> resolve(const endpoint& of, int flags) {
    if (!of.path.empty()) return {unix_address(of.path)};
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags | AI_NUMERICSERV;
    addrinfo* list = nullptr;
    std::vector<socket_address> found;
    if (::getaddrinfo(of.host.c_str(), std::to_string(of.port).c_str(), &hints, &list) != 0) return found;
    for (const addrinfo* each = list; each; each = each->ai_next) {
        if (each->ai_addrlen > sizeof(sockaddr_storage)) continue;
        socket_address address;
        std::memcpy(&address.storage, each->ai_addr, each->ai_addrlen);
        address.length = each->ai_addrlen;
        found.push_back(address);
    }
    ::freeaddrinfo(list);
    return found;
}

const sockaddr_in& as_v4(const socket_address& a) { return reinterpret_cast<const sockaddr_in&>(a.storage); }
const sockaddr_in6& as_v6(const socket_address& a) { return reinterpret_cast<const sockaddr_in6&>(a.storage); }

} // namespace

std::vector<socket_address> literal_address(const endpoint& of) { return resolve(of, AI_NUMERICHOST); }

std::vector<socket_address> look_up_now(const endpoint& of) { return resolve(of, 0); }

bool is_loopback(const socket_address& address) {
    if (address.storage.ss_family == AF_UNIX) return true;
    if (address.storage.ss_family == AF_INET6) {
        const auto& v6 = as_v6(address).sin6_addr;
        return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
    }
    return ntohl(as_v4(address).sin_addr.s_addr) >> 24 == 127;
}

// A name server that is away is given up after a few seconds; whoever asks asks again. (Read anew each time:
// resolv.conf may have changed.)
void limit_patience() {
    if (::res_init() != 0) return;
    _res.retrans = 1; // seconds, for each server
    _res.retry = 1;
}

// Handlers stay with their owner: what they hold may only be let go on home's thread.
struct name_lookup::home {
    std::mutex mutex;
    boost::asio::io_context* io = nullptr; // null: nobody waits any more
    std::map<std::uint64_t, handler> waiting;
    std::uint64_t next = 0;
};

class name_lookup::threads : public boost::asio::execution_context::service {
public:
    using key_type = threads;
    static boost::asio::execution_context::id id;

    explicit threads(boost::asio::execution_context& of) : service(of) {}

    template <class Job>
    void run(Job job) {
        if (!pool_) pool_.emplace(2U); // the backend's name and status.url's
        boost::asio::post(*pool_, std::move(job));
    }

private:
    void shutdown() override {
        if (!pool_) return;
        pool_->stop();
        pool_->join();
    }

    std::optional<boost::asio::thread_pool> pool_;
};

boost::asio::execution_context::id name_lookup::threads::id;

name_lookup::name_lookup(boost::asio::io_context& io) : home_(std::make_shared<home>()) { home_->io = &io; }

name_lookup::~name_lookup() {
    std::map<std::uint64_t, handler> let_go;
    std::lock_guard lock(home_->mutex);
    home_->io = nullptr;
    let_go.swap(home_->waiting);
}

void name_lookup::answer(const std::shared_ptr<home>& to, std::uint64_t id, std::vector<socket_address> found) {
    std::lock_guard lock(to->mutex);
    if (!to->io) return;
    boost::asio::post(*to->io, [to, id, found = std::move(found)] {
        handler then;
        {
            std::lock_guard lock_again(to->mutex);
            const auto place = to->waiting.find(id);
            if (place == to->waiting.end()) return;
            then = std::move(place->second);
            to->waiting.erase(place);
        }
        then(found);
    });
}

void name_lookup::start(const endpoint& of, handler then) {
    constexpr std::size_t out_max = 8;
    std::uint64_t id = 0;
    bool too_many = false;
    boost::asio::io_context* io = nullptr;
    {
        std::lock_guard lock(home_->mutex);
        io = home_->io;
        id = home_->next++;
        too_many = home_->waiting.size() >= out_max;
        home_->waiting.emplace(id, std::move(then));
    }
    auto literal = literal_address(of);
    if (!literal.empty() || too_many) return answer(home_, id, std::move(literal));
    boost::asio::use_service<threads>(*io).run([to = home_, id, of] {
        limit_patience();
        answer(to, id, look_up_now(of));
    });
}

} // namespace sidecar
