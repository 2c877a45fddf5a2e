// A structured fuzzer over whole exchanges, and a soak: random legal, illegal and cut traffic through a running
// sidecar, against an oracle: the bytes that came out are those that went in, or the exchange was refused. Meanwhile
// the backend is killed and restarted and the configuration reloaded. At the end: what was seen, and what was left in
// memory.
//     soak [--seconds N] [--seed N] [--clients N] [--calm]
#include "tests/harness/http_text.hpp"
#include "tests/harness/program.hpp"
#include "tests/soak/backend.hpp"
#include "tests/soak/client.hpp"
#include "tests/soak/complaints.hpp"
#include "tests/soak/script.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

struct options {
    std::chrono::seconds duration{20};
    std::uint64_t seed = 1;
    unsigned clients = 16;
    bool calm = false;
};

void report(std::string_view when, const harness::process& proxy) {
    std::cout << when << ": " << proxy.resident_bytes() / 1024 << " KiB resident, " << proxy.descriptors()
              << " descriptors\n";
}

std::string configuration(std::uint16_t backend) {
    const auto address = "127.0.0.1:" + std::to_string(backend);
    return "workers: 2\nupstream: {address: \"" + address +
           "\", connect_retry: 2s, no_answer: answer}\nstatus: {url: \"http://" + address +
           "/internal/consistency\", interval: 200ms, wait: 0s}\nadmin: {address: off}\n" +
           "log: {access: off, level: info}\n";
}

// In a hurry.
int end(harness::process& proxy) {
    for (int i = 0; i < 2; ++i) proxy.signal(SIGTERM);
    return proxy.exit_code(60s);
}

// The first poll has been taken when the gate closes.
void await_readiness(std::uint16_t port) {
    const std::string probe = "POST /api/v1/projects/" + std::string(not_ready_project) +
                              "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\n\r\n";
    for (const auto until = steady_clock::now() + 20s; steady_clock::now() < until;) {
        auto wire = harness::wire::connect(port);
        wire.send(probe);
        if (harness::status_of(wire.receive_answer().head) == 404) return;
    }
    throw std::runtime_error("the status document is not taken");
}

int run(const options& o) {
    backend api(o.seed);
    harness::program proxy(configuration(api.port()));
    tally counts;
    std::atomic<std::uint64_t> numbers{0};
    await_readiness(proxy.port());
    const auto began = steady_clock::now();
    const auto until = began + o.duration;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < o.clients; ++i)
        threads.emplace_back([&] { client(o.seed, proxy.port(), api, counts).run(numbers, until); });
    dice d(o.seed);
    auto next_report = began + std::chrono::milliseconds(o.duration) / 10;
    for (auto next_fault = began + 2s; steady_clock::now() < until && proxy.is_alive();) {
        proxy.read_for(50ms);
        if (steady_clock::now() > next_report) {
            report("after " + std::to_string((steady_clock::now() - began) / 1s) + " s", proxy);
            next_report += std::chrono::milliseconds(o.duration) / 10;
        }
        if (o.calm || steady_clock::now() < next_fault) continue;
        next_fault = steady_clock::now() + 1s + std::chrono::milliseconds(d.below(3'000));
        d.one_in(2) ? api.restart() : proxy.signal(SIGHUP);
    }
    const bool alive = proxy.is_alive();
    for (auto& each : threads) each.join();
    if (alive) report("at the end", proxy);
    const int code = alive ? end(proxy) : -1;
    if (code != 0) complain(0, "the sidecar ended with " + std::to_string(code));
    std::cout << numbers << " exchanges: " << counts.exact << " exact, " << counts.refused
              << " refused as they should be, " << counts.cut << " cut, " << counts.aborted << " left by the client, "
              << counts.disturbed << " disturbed by a restart\n"
              << numbers - std::min<std::uint64_t>(complaints(), numbers) << " passed, " << complaints() << " failed\n";
    return complaints() == 0 ? 0 : 1;
}

} // namespace
} // namespace soak

int main(int count, char** words) {
    std::signal(SIGPIPE, SIG_IGN);
    soak::options o;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto number = [&] { return i + 1 < count ? std::strtoull(words[++i], nullptr, 10) : 0; };
        if (word == "--seconds")
            o.duration = std::chrono::seconds(number());
        else if (word == "--seed")
            o.seed = number();
        else if (word == "--clients")
            o.clients = static_cast<unsigned>(number());
        else if (word == "--calm")
            o.calm = true;
        else {
            std::cerr << "usage: soak [--seconds N] [--seed N] [--clients N] [--calm]\n";
            return 2;
        }
    }
    try {
        return soak::run(o);
    } catch (const std::exception& e) {
        std::cerr << e.what() << "\n";
        return 1;
    }
}
