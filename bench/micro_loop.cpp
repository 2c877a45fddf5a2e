// What the three parts of the event loop that are ours earn over Asio's own (docs/architecture.md): the same work done
// with readiness_set and task<>, and with Asio's sockets and awaitable. The head reader's rival, Beast's parser, is in
// micro.cpp.
#include "proxy/data_plane/readiness_set.hpp"
#include "proxy/data_plane/stream.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/timer_queue.hpp"

#include <benchmark/benchmark.h>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <memory>
#include <stdexcept>
#include <vector>

namespace {

using namespace sidecar;
namespace asio = boost::asio;

// --- an echo over many connections: wait, receive, send --------------------------------------------------------------

constexpr std::size_t message_bytes = 400; // about a request's
constexpr std::size_t buffer_bytes = 16 * 1024;

// The far ends; the near ones are taken over.
class far_ends {
public:
    explicit far_ends(std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) {
            std::array<int, 2> pair{};
            if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair.data()) != 0)
                throw std::runtime_error("no socket pair");
            far_.push_back(pair[0]);
            near.push_back(pair[1]);
        }
    }
    ~far_ends() {
        for (const int each : far_) ::close(each);
    }
    far_ends(const far_ends&) = delete;
    far_ends& operator=(const far_ends&) = delete;

    // One message through each; `turn` lets the near ends work.
    template <class Turn>
    void exchange(const Turn& turn) {
        std::array<char, message_bytes> message{};
        for (const int each : far_)
            if (::send(each, message.data(), message.size(), 0) != ssize_t{message_bytes})
                throw std::runtime_error("not sent");
        for (const int each : far_)
            while (::recv(each, message.data(), message.size(), 0) < 0) turn();
    }

    std::vector<int> near;

private:
    std::vector<int> far_;
};

void report(benchmark::State& state) { state.SetItemsProcessed(state.iterations() * state.range(0)); }

task<> echo(stream& over) {
    std::array<char, buffer_bytes> bytes;
    for (;;) {
        const auto read = over.read_some(bytes);
        if (read.status == io::again) {
            co_await over.readable(time_point::max());
            continue;
        }
        if (read.status != io::done) co_return;
        outgoing back{{bytes.data(), read.bytes}, {}};
        over.write_some(back);
    }
}

void echo_with_the_readiness_set(benchmark::State& state) {
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
    timer_queue timers(context);
    readiness_set set(context, timers);
    far_ends ends(static_cast<std::size_t>(state.range(0)));
    std::vector<std::unique_ptr<stream>> streams;
    std::vector<task<>> echoes;
    for (const int each : ends.near) {
        streams.push_back(std::make_unique<stream>(set, timers));
        if (streams.back()->open(each)) throw std::runtime_error("can't be watched");
        echoes.push_back(echo(*streams.back()));
        echoes.back().start();
    }
    for (auto _ : state) ends.exchange([&] { context.poll(); });
    report(state);
}
BENCHMARK(echo_with_the_readiness_set)->Arg(1)->Arg(32)->Arg(256);

asio::awaitable<void> echo(asio::local::stream_protocol::socket over) {
    std::array<char, buffer_bytes> bytes;
    for (;;) {
        const auto count = co_await over.async_read_some(asio::buffer(bytes), asio::use_awaitable);
        co_await over.async_write_some(asio::buffer(bytes, count), asio::use_awaitable);
    }
}

void echo_with_asio(benchmark::State& state) {
    asio::io_context context(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO);
    far_ends ends(static_cast<std::size_t>(state.range(0)));
    for (const int each : ends.near)
        asio::co_spawn(context,
                       echo(asio::local::stream_protocol::socket(context, asio::local::stream_protocol(), each)),
                       asio::detached);
    for (auto _ : state) ends.exchange([&] { context.poll(); });
    report(state);
}
BENCHMARK(echo_with_asio)->Arg(1)->Arg(32)->Arg(256);

// --- coroutines that await coroutines: a forwarded request is some five deep -----------------------------------------

task<int> nested(int depth) {
    if (depth == 0) co_return 1;
    const int below = co_await nested(depth - 1);
    co_return below + 1;
}

task<> await_nested(benchmark::State& state) {
    for (auto _ : state) {
        const int depth = co_await nested(static_cast<int>(state.range(0)));
        benchmark::DoNotOptimize(depth);
    }
}

void await_tasks(benchmark::State& state) {
    auto all = await_nested(state);
    all.start();
}
BENCHMARK(await_tasks)->Arg(5);

asio::awaitable<int> nested_of_asio(int depth) {
    if (depth == 0) co_return 1;
    const int below = co_await nested_of_asio(depth - 1);
    co_return below + 1;
}

asio::awaitable<void> await_nested_of_asio(benchmark::State& state) {
    for (auto _ : state) {
        const int depth = co_await nested_of_asio(static_cast<int>(state.range(0)));
        benchmark::DoNotOptimize(depth);
    }
}

void await_with_asio(benchmark::State& state) {
    asio::io_context context(1);
    asio::co_spawn(context, await_nested_of_asio(state), asio::detached);
    context.run();
}
BENCHMARK(await_with_asio)->Arg(5);

} // namespace
