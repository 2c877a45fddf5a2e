#include "sidecar/log.hpp"

#include "proxy/log/doorbell.hpp"
#include "proxy/log/log_ring.hpp"
#include "tests/harness/patience.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <limits>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace log_test {

using namespace sidecar;

// Where a log writes to, and the end that a test reads.
class channel {
public:
    channel() : channel([](int* ends) { return ::pipe2(ends, O_CLOEXEC); }) {}
    template <class Open>
    explicit channel(Open open) {
        REQUIRE(open(ends_) == 0);
    }
    ~channel() {
        close_reader();
        close_writer();
    }
    channel(const channel&) = delete;
    channel& operator=(const channel&) = delete;

    int writer() const { return ends_[1]; }
    void close_reader() { close(ends_[0]); }
    void close_writer() { close(ends_[1]); }

    // Until so many lines are there.
    const std::string& read_lines(std::size_t lines) {
        return read_until([&] { return line_count() >= lines; });
    }
    // Until this is there.
    const std::string& read_until_found(std::string_view text) {
        return read_until([&] { return text_.find(text) != std::string::npos; });
    }
    // What is left once the writer's end is closed.
    const std::string& read_to_end() {
        while (read_some(-1)) {
        }
        return text_;
    }

private:
    template <class Condition>
    const std::string& read_until(const Condition& holds) {
        const auto give_up_at = std::chrono::steady_clock::now() + harness::patience;
        while (!holds() && std::chrono::steady_clock::now() < give_up_at) read_some(100);
        CHECK(holds());
        return text_;
    }
    std::size_t line_count() const { return static_cast<std::size_t>(std::count(text_.begin(), text_.end(), '\n')); }
    static void close(int& descriptor) {
        if (descriptor >= 0) ::close(descriptor);
        descriptor = -1;
    }
    bool read_some(int wait_ms) {
        pollfd watched{ends_[0], POLLIN, 0};
        if (::poll(&watched, 1, wait_ms) <= 0) return false;
        char bytes[65536];
        const auto got = ::read(ends_[0], bytes, sizeof bytes);
        if (got > 0) text_.append(bytes, static_cast<std::size_t>(got));
        return got > 0;
    }

    int ends_[2]{-1, -1};
    std::string text_;
};

template <class Condition>
bool eventually(const Condition& holds) {
    const auto give_up_at = std::chrono::steady_clock::now() + harness::patience;
    while (!holds() && std::chrono::steady_clock::now() < give_up_at) std::this_thread::yield();
    return holds();
}

// Behind the time, which is checked for its form.
std::string after_time(const std::string& line) {
    REQUIRE(line.starts_with("{\"time\":\"20"));
    REQUIRE(line.substr(32, 3) == "Z\",");
    return line.substr(35);
}

TEST_CASE("a line is one JSON object") {
    channel out;
    sidecar::log to(out.writer());
    to.line(log_level::warn, "poll \"failed\"\n",
            {{"text", "a\x1b\xff"},
             {"count", std::int64_t{-3}},
             {"took", 0.25},
             {"never", std::numeric_limits<double>::infinity()},
             {"yes", true}});
    CHECK(
        after_time(out.read_lines(1)) ==
        R"("level":"warn","msg":"poll \"failed\"\n","text":"a\u001b\ufffd","count":-3,"took":0.25,"never":null,"yes":true})"
        "\n");
}

TEST_CASE("lines below the level are left out, and the level can be changed") {
    channel out;
    sidecar::log to(out.writer());
    to.line(log_level::debug, "no");
    to.set_least(log_level::debug);
    CHECK(to.least() == log_level::debug);
    to.line(log_level::debug, "yes");
    CHECK(after_time(out.read_lines(1)) == "\"level\":\"debug\",\"msg\":\"yes\"}\n");
}

TEST_CASE("a queue's lines come out whole and in order") {
    channel out;
    sidecar::log to(out.writer());
    const auto queue = to.open_queue(256 * kib);
    std::string expected;
    for (int i = 0; i < 2000; ++i) {
        const auto line = "line " + std::to_string(i) + std::string(static_cast<std::size_t>(i % 97), '.') + "\n";
        expected += line;
        REQUIRE(queue->push(line));
    }
    CHECK(out.read_lines(2000) == expected);
}

TEST_CASE("what is queued is written before the log is gone") {
    channel out;
    {
        sidecar::log to(out.writer());
        to.open_queue(4096)->push("from a queue that is closed\n");
        to.line(log_level::info, "last");
    }
    out.close_writer();
    CHECK(out.read_to_end().find("closed\n") != std::string::npos);
    CHECK(out.read_to_end().find("last") != std::string::npos);
}

TEST_CASE("a line comes after what was queued before it") {
    channel out;
    sidecar::log to(out.writer());
    const auto queue = to.open_queue(4096);
    for (std::size_t i = 1; i <= 100; ++i) {
        queue->push("queued\n");
        to.line(log_level::info, "ended");
        const auto& text = out.read_lines(2 * i);
        CHECK(text.ends_with("\"ended\"}\n"));
    }
}

TEST_CASE("a queue may outlive its log") {
    channel out;
    std::shared_ptr<sidecar::log::queue> queue;
    {
        sidecar::log to(out.writer());
        queue = to.open_queue(4096);
    }
    CHECK(queue->push("nobody reads it\n"));
}

TEST_CASE("a reader that reads nothing stops no producer: lines are dropped, counted and told of") {
    channel out;
    sidecar::log to(out.writer());
    const auto queue = to.open_queue(4096);
    const std::string line(99, 'x');
    std::uint64_t pushed = 0;
    for (int i = 0; i < 100'000; ++i) pushed += queue->push(line + "\n") ? 1 : 0; // more than the pipe takes
    for (int i = 0; i < 10'000; ++i) to.line(log_level::info, line);
    CHECK(to.dropped() > 100'000 - pushed);
    out.read_until_found("\"msg\":\"log lines dropped\",\"lines\":");
}

TEST_CASE("a log ends within a second although nobody reads") {
    channel out;
    const auto before = std::chrono::steady_clock::now();
    {
        sidecar::log to(out.writer());
        const auto queue = to.open_queue(mib);
        while (queue->push(std::string(999, 'x') + "\n")) {
        }
    }
    CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(1) + harness::patience);
}

TEST_CASE("a reader that is gone is survived, and what it missed is counted") {
    channel out;
    sidecar::log to(out.writer());
    out.close_reader();
    to.line(log_level::info, "into the void");
    to.open_queue(4096)->push("likewise\n");
    CHECK(eventually([&] { return to.dropped() == 2; }));
}

TEST_CASE("a descriptor that is none is survived") {
    sidecar::log to(-1);
    to.line(log_level::info, "nowhere");
}

TEST_CASE("a socket is written to, and may go away") {
    channel out([](int* ends) { return ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); });
    sidecar::log to(out.writer());
    to.line(log_level::info, "one");
    out.read_lines(1);
    out.close_reader();
    to.line(log_level::info, "two");
    CHECK(eventually([&] { return to.dropped() == 1; }));
}

TEST_CASE("lines of many threads do not mix, and none is lost that is not counted") {
    channel out;
    constexpr int threads = 4, lines = 2'000;
    std::uint64_t dropped = 0;
    std::thread reader([&] { out.read_to_end(); });
    {
        sidecar::log to(out.writer());
        std::vector<std::thread> producers;
        producers.reserve(threads);
        for (int t = 0; t < threads; ++t)
            producers.emplace_back([&to, t] {
                const auto queue = to.open_queue(8192);
                for (int i = 0; i < lines; ++i) {
                    queue->push("queue " + std::to_string(t) + " " +
                                std::string(static_cast<std::size_t>(i % 200), 'x') + ";\n");
                    to.line(log_level::info, "line");
                }
            });
        for (auto& one : producers) one.join();
        dropped = to.dropped();
    }
    out.close_writer();
    reader.join();
    std::size_t whole = 0, at = 0;
    const auto& text = out.read_to_end();
    for (std::size_t end = 0; (end = text.find('\n', at)) != std::string::npos; at = end + 1) {
        const std::string_view line(text.data() + at, end - at);
        const bool queued = line.starts_with("queue ") && line.ends_with(';') && line.find('\n') == std::string::npos;
        const bool logged = line.starts_with("{\"time\":") && line.ends_with('}');
        CHECK((queued || logged));
        if (line.find("log lines dropped") == std::string_view::npos) ++whole;
    }
    CHECK(whole + dropped == 2 * threads * lines);
}

TEST_CASE("a ring gives out what came in, across its end") {
    log_ring ring(1024);
    std::string in, out;
    for (int i = 0; i < 500; ++i) {
        const std::string line(static_cast<std::size_t>(1 + i % 333), static_cast<char>('a' + i % 26));
        REQUIRE(ring.push(line));
        in += line;
        while (ring.size() > 500) {
            const auto part = ring.front(100);
            out += part;
            ring.pop(part.size());
        }
    }
    while (ring.size() != 0) {
        const auto part = ring.front(ring.size());
        out += part;
        ring.pop(part.size());
    }
    CHECK(out == in);
}

TEST_CASE("a ring takes a line whole or not at all") {
    log_ring ring(1024);
    CHECK(ring.push(std::string(1000, 'a')));
    CHECK_FALSE(ring.push(std::string(25, 'b')));
    CHECK(ring.push(std::string(24, 'c')));
    CHECK_FALSE(ring.push("d"));
    CHECK_FALSE(log_ring(1024).push(std::string(1025, 'e')));
    CHECK(ring.size() == 1024);
}

TEST_CASE("a ring with a thread at each end loses and mixes nothing") {
    log_ring ring(1024);
    constexpr std::size_t total = 2'000'000;
    std::thread producer([&] {
        for (std::size_t sent = 0; sent < total;) {
            char line[16];
            for (std::size_t i = 0; i < sizeof line; ++i) line[i] = static_cast<char>((sent + i) % 251);
            if (ring.push({line, sizeof line}))
                sent += sizeof line;
            else
                std::this_thread::yield();
        }
    });
    std::size_t seen = 0;
    bool same = true;
    while (seen < total) {
        const auto part = ring.front(700);
        for (const char c : part) same = same && c == static_cast<char>(seen++ % 251);
        ring.pop(part.size());
        if (part.empty()) std::this_thread::yield();
    }
    producer.join();
    CHECK(same);
}

TEST_CASE("a bell is never missed") {
    doorbell bell;
    std::atomic<int> done{0}, asked{0};
    constexpr int rounds = 20'000;
    std::thread sleeper([&] {
        while (done < rounds) {
            bell.sleep_unless([&] { return asked.load() > done.load(); });
            if (asked.load() > done.load()) done.store(asked.load());
        }
    });
    for (int i = 1; i <= rounds; ++i) {
        asked.store(i);
        bell.ring_if_asleep();
        if (i % 3 == 0 && !eventually([&] { return done.load() >= i; })) break;
    }
    CHECK(eventually([&] { return done.load() == rounds; }));
    done = rounds;
    bell.ring();
    sleeper.join();
}

} // namespace log_test
