// The client of the benchmark: keeps requests going over loopback and says in one line of JSON what came back, how long
// it took and what CPU time the processes named by --cpu-of used meanwhile (from the scheduler's own count, in
// nanoseconds, between the end of the warm-up and the end of the measurement).
//
//   closed loop      each connection sends its next request when the answer has come
//   --rate R         open loop: requests are due at Poisson times, R a second; latency counts from when one was due
//   --new            a new connection for each request, closed by the client
//   --hold           one request on each connection, then all are kept open until standard input ends
#include "bench/answer_reader.hpp"
#include "bench/sockets.hpp"

#include <fmt/format.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bench;
using clock_type = std::chrono::steady_clock;
using std::chrono::duration;
using std::chrono::duration_cast;
using std::chrono::nanoseconds;

struct plan {
    std::uint16_t port = 0;
    std::size_t connections = 1;
    std::string method = "GET";
    std::string target = "/";
    std::string fields;
    std::size_t body = 0;
    bool chunked = false;
    int expect = 200;
    bool fresh = false;
    bool hold = false;
    double rate = 0;
    double warm = 0.3;
    double seconds = 2;
    std::vector<std::string> cpu_of;
};

constexpr std::uint64_t lost_max = 1'000;
constexpr std::size_t block_bytes = 64 * 1024; // of one chunk

// The request as bytes: a head (with a small body), then a repeated block, then an end.
struct request_bytes {
    explicit request_bytes(const plan& p) {
        head = p.method + " " + p.target +
               " HTTP/1.1\r\nHost: api.example.org\r\nUser-Agent: bench\r\nAccept: */*\r\n" + p.fields;
        if (p.chunked)
            head += "Transfer-Encoding: chunked\r\n\r\n";
        else if (p.body > 0)
            head += "Content-Length: " + std::to_string(p.body) + "\r\n\r\n";
        else
            head += "\r\n";
        if (p.chunked) {
            block = "10000\r\n" + std::string(block_bytes, 'x') + "\r\n";
            block_total = p.body / block_bytes * block.size();
            end = "0\r\n\r\n";
        } else if (p.body <= block_bytes) {
            head.append(p.body, 'x');
        } else {
            block.assign(4 * block_bytes, 'x');
            block_total = p.body;
        }
    }

    std::string head;
    std::string block;
    std::size_t block_total = 0;
    std::string end;
    std::size_t size() const { return head.size() + block_total + end.size(); }

    std::string_view at(std::size_t sent) const {
        if (sent < head.size()) return std::string_view(head).substr(sent);
        sent -= head.size();
        if (sent < block_total) return std::string_view(block).substr(sent % block.size(), block_total - sent);
        return std::string_view(end).substr(sent - block_total);
    }
};

struct client {
    int fd = -1;
    bool busy = false;
    bool waits_for_room = false;
    std::size_t sent = 0;
    clock_type::time_point due;
    answer_reader answer;
};

// Nanoseconds on a CPU, of each thread of the processes.
std::vector<std::pair<std::string, std::uint64_t>> cpu_times(const std::vector<std::string>& processes) {
    std::vector<std::pair<std::string, std::uint64_t>> times;
    for (const auto& process : processes) {
        std::error_code gone;
        for (const auto& task : std::filesystem::directory_iterator("/proc/" + process + "/task", gone)) {
            std::uint64_t on_cpu = 0;
            std::ifstream(task.path() / "schedstat") >> on_cpu;
            times.emplace_back(task.path().filename(), on_cpu);
        }
    }
    return times;
}

class load {
public:
    explicit load(plan p)
        : plan_(std::move(p)),
          request_(plan_),
          epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          clients_(plan_.connections) {}

    int run() {
        for (auto& one : clients_) {
            open(one);
            if (plan_.hold) one_request(one);
        }
        if (plan_.hold) return hold();
        if (plan_.rate > 0)
            start_timer();
        else
            for (auto& one : clients_) start(one, clock_type::now());
        run_for(plan_.warm);
        const auto before = cpu_times(plan_.cpu_of);
        counted_ = {};
        latencies_.clear();
        const auto started = clock_type::now();
        run_for(plan_.seconds);
        const auto took = duration<double>(clock_type::now() - started).count();
        const auto after = cpu_times(plan_.cpu_of);
        report(took, before, after);
        return counted_.answers == 0 && counted_.bytes == 0 ? 1 : 0;
    }

private:
    void open(client& one) {
        one.fd = connect_to(plan_.port, plan_.fresh ? next_source() : INADDR_LOOPBACK);
        one.waits_for_room = false;
        one.busy = false;
        watch(epoll_, one.fd, EPOLLIN, &one);
    }

    std::uint32_t next_source() { return INADDR_LOOPBACK + 1 + source_++ % 16; }

    void start(client& one, clock_type::time_point due) {
        one.busy = true;
        one.sent = 0;
        one.due = due;
        one.answer.begin(plan_.method == "HEAD");
        send_more(one);
    }

    void send_more(client& one) {
        while (one.sent < request_.size()) {
            const auto bytes = request_.at(one.sent);
            const auto n = send(one.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n < 0 && would_block()) return wait_for_room(one, true);
            if (n <= 0) return lost(one);
            one.sent += static_cast<std::size_t>(n);
            counted_.bytes += static_cast<std::uint64_t>(n);
        }
        wait_for_room(one, false);
    }

    void wait_for_room(client& one, bool wanted) {
        if (one.waits_for_room == wanted) return;
        one.waits_for_room = wanted;
        watch(epoll_, one.fd, wanted ? EPOLLIN | EPOLLOUT : EPOLLIN, &one, EPOLL_CTL_MOD);
    }

    void run_for(double seconds) {
        const auto end = clock_type::now() + duration_cast<nanoseconds>(duration<double>(seconds));
        std::array<epoll_event, 256> events{};
        while (clock_type::now() < end) {
            const int n = epoll_wait(epoll_, events.data(), events.size(), 10);
            for (int i = 0; i < n; ++i) {
                auto* one = static_cast<client*>(events[i].data.ptr);
                if (one == nullptr)
                    on_timer();
                else
                    on_event(*one, events[i].events);
            }
        }
    }

    void on_event(client& one, std::uint32_t events) {
        if ((events & EPOLLOUT) != 0) send_more(one);
        if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive(one);
    }

    void receive(client& one) {
        const auto n = recv(one.fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && would_block()) return;
        if (n <= 0) return lost(one);
        counted_.bytes += static_cast<std::uint64_t>(n);
        one.answer.feed({buffer_.data(), static_cast<std::size_t>(n)});
        if (one.answer.done()) finish(one);
    }

    void finish(client& one) {
        const auto now = clock_type::now();
        latencies_.push_back(static_cast<std::uint32_t>(duration_cast<nanoseconds>(now - one.due).count() / 100));
        ++counted_.answers;
        if (one.answer.status() != plan_.expect) ++counted_.unexpected;
        one.busy = false;
        if (plan_.fresh || one.sent < request_.size() || one.answer.closes()) {
            ::close(one.fd);
            open(one);
        }
        next(one, now);
    }

    void next(client& one, clock_type::time_point now) {
        if (plan_.rate <= 0) return start(one, now);
        if (backlog_.empty()) return idle_.push_back(&one);
        const auto due = backlog_.front();
        backlog_.pop_front();
        start(one, due);
    }

    void lost(client& one) {
        if (one.busy && ++counted_.lost > lost_max) fail("too many connections ended before their answer");
        ::close(one.fd);
        const bool was_busy = one.busy;
        open(one);
        if (was_busy) next(one, clock_type::now());
    }

    void start_timer() {
        for (auto& one : clients_) idle_.push_back(&one);
        timer_ = checked(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), "timerfd_create");
        watch(epoll_, timer_, EPOLLIN, nullptr);
        due_ = clock_type::now();
        arm_timer();
    }

    void advance_due() { due_ += nanoseconds(static_cast<std::int64_t>(gaps_(random_) * 1e9 / plan_.rate)); }

    void arm_timer() {
        const auto since = due_.time_since_epoch();
        itimerspec at{};
        at.it_value.tv_sec = duration_cast<std::chrono::seconds>(since).count();
        at.it_value.tv_nsec = (since % std::chrono::seconds(1)).count();
        checked(timerfd_settime(timer_, TFD_TIMER_ABSTIME, &at, nullptr), "timerfd_settime");
    }

    void on_timer() {
        std::uint64_t expirations = 0;
        if (read(timer_, &expirations, sizeof expirations) < 0) return;
        while (due_ <= clock_type::now()) {
            if (idle_.empty()) {
                backlog_.push_back(due_);
            } else {
                auto* one = idle_.front();
                idle_.pop_front();
                start(*one, due_);
            }
            advance_due();
        }
        arm_timer();
    }

    void one_request(client& one) {
        start(one, clock_type::now());
        const auto answers = counted_.answers;
        std::array<epoll_event, 16> events{};
        while (one.busy && counted_.answers == answers) {
            const int n = epoll_wait(epoll_, events.data(), events.size(), 5'000);
            if (n <= 0) return;
            for (int i = 0; i < n; ++i) {
                auto* which = static_cast<client*>(events[i].data.ptr);
                const auto got = recv(which->fd, buffer_.data(), buffer_.size(), 0);
                if (got <= 0 || which != &one) continue;
                one.answer.feed({buffer_.data(), static_cast<std::size_t>(got)});
                if (!one.answer.done()) continue;
                one.busy = false;
                ++counted_.answers;
                if (one.answer.status() != plan_.expect) ++counted_.unexpected;
            }
        }
    }

    int hold() {
        fmt::print("{{\"answers\":{},\"unexpected\":{},\"lost\":{}}}\n", counted_.answers, counted_.unexpected,
                   counted_.lost);
        std::fflush(stdout);
        char byte = 0;
        while (read(STDIN_FILENO, &byte, 1) > 0) {
        }
        return 0;
    }

    using times = std::vector<std::pair<std::string, std::uint64_t>>;

    void report(double took, const times& before, const times& after) {
        std::sort(latencies_.begin(), latencies_.end());
        const auto quantile = [this](double q) {
            if (latencies_.empty()) return 0.0;
            return latencies_[static_cast<std::size_t>(q * static_cast<double>(latencies_.size() - 1))] / 10.0;
        };
        std::string threads;
        for (const auto& now : after) {
            const auto was =
                std::find_if(before.begin(), before.end(), [&](const auto& one) { return one.first == now.first; });
            const auto used = now.second - (was == before.end() ? 0 : was->second);
            threads += fmt::format("{}\"{}\":{}", threads.empty() ? "" : ",", now.first, used);
        }
        fmt::print("{{\"seconds\":{:.4f},\"answers\":{},\"unexpected\":{},\"lost\":{},\"bytes\":{},"
                   "\"latency_us\":{{\"p50\":{:.1f},\"p90\":{:.1f},\"p99\":{:.1f},\"p999\":{:.1f},\"max\":{:.1f}}},"
                   "\"cpu_ns\":{{{}}}}}\n",
                   took, counted_.answers, counted_.unexpected, counted_.lost, counted_.bytes, quantile(0.5),
                   quantile(0.9), quantile(0.99), quantile(0.999), quantile(1), threads);
    }

    struct counts {
        std::uint64_t answers = 0;
        std::uint64_t unexpected = 0; // another status than --expect
        std::uint64_t lost = 0;       // a connection that ended before its answer
        std::uint64_t bytes = 0;      // both ways, heads included
    };

    plan plan_;
    request_bytes request_;
    int epoll_;
    int timer_ = -1;
    std::vector<client> clients_;
    std::deque<client*> idle_;
    std::deque<clock_type::time_point> backlog_;
    clock_type::time_point due_;
    std::mt19937_64 random_{20'260'101};
    std::exponential_distribution<double> gaps_{1.0};
    std::uint32_t source_ = 0;
    counts counted_;
    std::vector<std::uint32_t> latencies_; // tenths of a microsecond
    std::array<char, 256 * 1024> buffer_{};
};

int usage() {
    std::fprintf(stderr, "usage: load --port P [--connections C] [--method M] [--target T] [--field 'Name: value']...\n"
                         "            [--body BYTES] [--chunked] [--expect STATUS] [--new] [--hold] [--rate R]\n"
                         "            [--warm SECONDS] [--seconds SECONDS] [--cpu-of PID]...\n");
    return 2;
}

} // namespace

int main(int argc, char** argv) {
    allow_many_descriptors();
    plan p;
    for (int i = 1; i < argc; ++i) {
        const std::string_view option = argv[i];
        if (option == "--chunked" || option == "--new" || option == "--hold") {
            (option == "--chunked" ? p.chunked : option == "--new" ? p.fresh : p.hold) = true;
            continue;
        }
        if (++i == argc) return usage();
        const std::string value = argv[i];
        if (option == "--port")
            p.port = static_cast<std::uint16_t>(std::stoul(value));
        else if (option == "--connections")
            p.connections = std::stoul(value);
        else if (option == "--method")
            p.method = value;
        else if (option == "--target")
            p.target = value;
        else if (option == "--field")
            p.fields += value + "\r\n";
        else if (option == "--body")
            p.body = std::stoul(value);
        else if (option == "--expect")
            p.expect = std::stoi(value);
        else if (option == "--rate")
            p.rate = std::stod(value);
        else if (option == "--warm")
            p.warm = std::stod(value);
        else if (option == "--seconds")
            p.seconds = std::stod(value);
        else if (option == "--cpu-of")
            p.cpu_of.push_back(value);
        else
            return usage();
    }
    if (p.port == 0 || p.connections == 0 || (p.chunked && p.body % block_bytes != 0)) return usage();
    return std::make_unique<load>(std::move(p))->run();
}
