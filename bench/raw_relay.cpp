// The floor: moves bytes between a client and the backend on one thread, without looking at them. No user-space proxy
// that copies gets below it. With --keep a client that closes after its answer leaves its backend connection for the
// next client, as proxies' pools do; fit for answers of one piece only, for it does not know where they end. With
// --splice the bytes stay in the kernel (splice(2) through a pipe).
#include "bench/sockets.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bench;

struct pair;

// One end of a relayed connection, and the bytes that it did not take at once.
struct end {
    int fd = -1;
    pair* owner = nullptr;
    bool is_client = false;
    std::string pending;
    int pipe[2] = {-1, -1}; // with --splice: what waits for this end
    std::size_t piped = 0;

    ~end() {
        for (const int side : pipe)
            if (side >= 0) ::close(side);
    }
};

struct pair {
    end client;
    end* backend = nullptr;
    bool closing = false;
    bool asked = false; // the client has spoken last
};

enum class manner { plain, keep, splice };

class relay {
public:
    relay(std::uint16_t port, std::uint16_t backend_port, manner how)
        : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          listener_(listen_on(port)),
          backend_port_(backend_port),
          how_(how) {
        watch(epoll_, listener_, EPOLLIN, nullptr);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events{};
        for (;;) {
            const int n = epoll_wait(epoll_, events.data(), events.size(), -1);
            for (int i = 0; i < n; ++i) {
                auto* from = static_cast<end*>(events[i].data.ptr);
                if (from == nullptr)
                    accept_one();
                else
                    on_event(*from, events[i].events);
            }
            bury();
        }
    }

private:
    void accept_one() {
        const int fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        auto* two = new pair;
        two->client.fd = fd;
        two->client.owner = two;
        two->client.is_client = true;
        two->backend = lease();
        two->backend->owner = two;
        watch(epoll_, fd, EPOLLIN, &two->client);
    }

    end* lease() {
        if (!idle_.empty()) {
            end* kept = idle_.back();
            idle_.pop_back();
            return kept;
        }
        auto* fresh = new end;
        fresh->fd = connect_to(backend_port_);
        watch(epoll_, fresh->fd, EPOLLIN, fresh);
        return fresh;
    }

    void on_event(end& from, std::uint32_t events) {
        pair* two = from.owner;
        if (two == nullptr) return drop_idle(from);
        if (two->closing) return;
        end& to = from.is_client ? *two->backend : two->client;
        if ((events & EPOLLOUT) != 0 && !flush(from, to)) return close(*two, from);
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) move_bytes(from, to, *two);
    }

    void move_bytes(end& from, end& to, pair& two) {
        if (how_ == manner::splice) return splice_bytes(from, to, two);
        if (!to.pending.empty()) return;
        const auto n = recv(from.fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && would_block()) return;
        if (n <= 0) return close(two, from);
        two.asked = from.is_client;
        auto sent = send(to.fd, buffer_.data(), static_cast<std::size_t>(n), MSG_NOSIGNAL);
        if (sent < 0 && !would_block()) return close(two, to);
        if (sent == n) return;
        to.pending.assign(buffer_.data() + (sent < 0 ? 0 : sent), buffer_.data() + n);
        watch(epoll_, to.fd, EPOLLIN | EPOLLOUT, &to, EPOLL_CTL_MOD);
        watch(epoll_, from.fd, 0, &from, EPOLL_CTL_MOD);
    }

    // By a pipe of `to`'s, without the bytes' passing through this process.
    void splice_bytes(end& from, end& to, pair& two) {
        if (to.piped != 0) return;
        if (to.pipe[0] < 0) checked(::pipe2(to.pipe, O_NONBLOCK | O_CLOEXEC), "pipe2");
        const auto n = ::splice(from.fd, nullptr, to.pipe[1], nullptr, 1 << 20, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
        if (n < 0 && would_block()) return;
        if (n <= 0) return close(two, from);
        to.piped = static_cast<std::size_t>(n);
        if (!empty_pipe(to)) return close(two, to);
        if (to.piped == 0) return;
        watch(epoll_, to.fd, EPOLLIN | EPOLLOUT, &to, EPOLL_CTL_MOD);
        watch(epoll_, from.fd, 0, &from, EPOLL_CTL_MOD);
    }

    static bool empty_pipe(end& to) {
        while (to.piped != 0) {
            const auto n = ::splice(to.pipe[0], nullptr, to.fd, nullptr, to.piped, SPLICE_F_NONBLOCK | SPLICE_F_MOVE);
            if (n <= 0) return n < 0 && would_block();
            to.piped -= static_cast<std::size_t>(n);
        }
        return true;
    }

    // `to` has room again for what it did not take; then `from` is read again.
    bool flush(end& to, end& from) {
        if (how_ == manner::splice) {
            if (!empty_pipe(to)) return false;
            if (to.piped == 0) read_again(to, from);
            return true;
        }
        const auto sent = send(to.fd, to.pending.data(), to.pending.size(), MSG_NOSIGNAL);
        if (sent < 0) return would_block();
        to.pending.erase(0, static_cast<std::size_t>(sent));
        if (to.pending.empty()) read_again(to, from);
        return true;
    }

    void read_again(end& to, end& from) const {
        watch(epoll_, to.fd, EPOLLIN, &to, EPOLL_CTL_MOD);
        watch(epoll_, from.fd, EPOLLIN, &from, EPOLL_CTL_MOD);
    }

    void close(pair& two, const end& by) {
        two.closing = true;
        ::close(two.client.fd);
        if (how_ == manner::keep && by.is_client && !two.asked && two.backend->pending.empty() &&
            two.client.pending.empty()) {
            two.backend->owner = nullptr;
            idle_.push_back(two.backend);
        } else {
            ::close(two.backend->fd);
            dead_ends_.push_back(two.backend);
        }
        dead_.push_back(&two);
    }

    void drop_idle(end& backend) {
        std::erase(idle_, &backend);
        ::close(backend.fd);
        dead_ends_.push_back(&backend);
    }

    // After the round of events, which may still name them.
    void bury() {
        for (auto* two : dead_) delete two;
        for (auto* backend : dead_ends_) delete backend;
        dead_.clear();
        dead_ends_.clear();
    }

    int epoll_;
    int listener_;
    std::uint16_t backend_port_;
    manner how_;
    std::vector<end*> idle_;
    std::vector<pair*> dead_;
    std::vector<end*> dead_ends_;
    std::array<char, 64 * 1024> buffer_{};
};

} // namespace

int main(int argc, char** argv) {
    const std::string_view option = argc == 4 ? argv[3] : "";
    const auto how = option == "--keep" ? manner::keep : option == "--splice" ? manner::splice : manner::plain;
    if (argc != 3 && how == manner::plain) {
        std::fprintf(stderr, "usage: raw_relay PORT BACKEND_PORT [--keep | --splice]\n");
        return 2;
    }
    allow_many_descriptors();
    const auto port = static_cast<std::uint16_t>(std::atoi(argv[1]));
    const auto backend_port = static_cast<std::uint16_t>(std::atoi(argv[2]));
    std::make_unique<relay>(port, backend_port, how)->run();
}
