#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/mman.h>

#include <functional>
#include <string>
#include <vector>

namespace stream_test {

using namespace sidecar;
using namespace sidecar::testing;
using namespace std::chrono_literals;

task<> read_all(stream& from, time_point until, std::string& into, std::vector<std::string>& log) {
    std::array<char, 64> space;
    while (true) {
        const auto read = from.read_some(space);
        if (read.status == io::done) {
            into.append(space.data(), read.bytes);
            continue;
        }
        if (read.status != io::again) {
            log.emplace_back(read.status == io::end ? "end" : "error");
            co_return;
        }
        const auto why = co_await from.readable(until);
        if (why == wake::ready) continue;
        log.emplace_back(why == wake::deadline ? "deadline" : "cancelled");
        co_return;
    }
}

task<> write_all(stream& to, time_point until, outgoing bytes, std::vector<std::string>& log) {
    while (!bytes.empty()) {
        const auto written = to.write_some(bytes);
        if (written.status == io::error) {
            log.emplace_back("error");
            co_return;
        }
        if (written.status == io::done) continue;
        const auto why = co_await to.writable(until);
        if (why == wake::ready) continue;
        log.emplace_back(why == wake::deadline ? "deadline" : "cancelled");
        co_return;
    }
    log.emplace_back("written");
}

struct connected {
    event_loop loop;
    stream here{loop.set, loop.timers};
    peer_socket there;
    std::string got;
    std::vector<std::string> log;

    explicit connected(std::pair<int, int> pair) : there(pair.second) {
        REQUIRE_FALSE(here.open(pair.first));
        loop.turn();
    }
    time_point in(std::chrono::milliseconds time) const { return loop.timers.now() + time; }
};

using sides = std::pair<int, int> (*)();
constexpr std::array<sides, 2> families{unix_pair, tcp_pair};

TEST_CASE("a stream of either family brings what came, and then the end") {
    for (const auto family : families) {
        connected c(family());
        auto reads = read_all(c.here, c.in(10s), c.got, c.log);
        reads.start();
        for (const std::string part : {"a", "bc", "def"}) {
            c.there.send(part);
            c.loop.turn();
        }
        CHECK(c.got == "abcdef");
        c.there.send("last");
        c.there.end_writing(); // both at once
        c.loop.turn();
        CHECK(c.got == "abcdeflast");
        CHECK(c.log == std::vector<std::string>{"end"});
        CHECK(c.here.end_seen());
        CHECK_FALSE(c.here.is_gone()); // it can still be written to
    }
}

TEST_CASE("what came before a close is read before its end") {
    for (const auto family : families) {
        connected c(family());
        c.there.send(std::string(1'000, 'x'));
        c.there.close();
        c.loop.turn();
        auto reads = read_all(c.here, c.in(10s), c.got, c.log);
        reads.start();
        c.loop.turn();
        CHECK(c.got.size() == 1'000);
        CHECK(c.log == std::vector<std::string>{"end"});
    }
}

TEST_CASE("a reset is an error, never an end") {
    connected c(tcp_pair());
    SUBCASE("seen while waiting") {
        auto reads = read_all(c.here, c.in(10s), c.got, c.log);
        reads.start();
        c.there.reset();
        c.loop.turn();
        CHECK(c.log == std::vector<std::string>{"error"});
    }
    SUBCASE("taken by a write, before the event") {
        c.there.reset();
        outgoing bytes{"x", {}};
        CHECK(c.here.write_some(bytes).status == io::error);
        std::array<char, 8> space;
        CHECK(c.here.read_some(space).status == io::error);
    }
    SUBCASE("taken by a write, behind the event") {
        c.there.reset();
        c.loop.turn();
        outgoing bytes{"x", {}};
        CHECK(c.here.write_some(bytes).status == io::error);
        std::array<char, 8> space;
        CHECK(c.here.read_some(space).status == io::error);
    }
    SUBCASE("with bytes before it") {
        c.there.send("before");
        c.loop.turn();
        c.there.reset();
        c.loop.turn();
        auto reads = read_all(c.here, c.in(10s), c.got, c.log);
        reads.start();
        CHECK(c.log == std::vector<std::string>{"error"});
    }
    CHECK(c.here.is_reset());
    CHECK(c.here.is_gone());
}

TEST_CASE("what can't be watched is closed, once") {
    event_loop loop;
    const auto file = [] { return ::memfd_create("a file has no events", MFD_CLOEXEC); };
    const auto is_open = [](int descriptor) { return ::fcntl(descriptor, F_GETFD) >= 0; };
    int another = -1;
    {
        stream here{loop.set, loop.timers};
        const int descriptor = file();
        CHECK(here.open(descriptor) == std::errc::operation_not_permitted);
        CHECK_FALSE(is_open(descriptor));
        another = file();
        REQUIRE(another == descriptor); // another's now
        here.close();
    }
    CHECK(is_open(another));
    ::close(another);
}

TEST_CASE("a wait to read has its deadline, and bytes that come behind it are still there") {
    for (const auto family : families) {
        connected c(family());
        {
            auto reads = read_all(c.here, c.in(1s), c.got, c.log);
            reads.start();
            c.loop.timers.skip(1'100ms);
            CHECK(c.log == std::vector<std::string>{"deadline"});
        }
        c.there.send("late");
        c.loop.turn();
        auto reads = read_all(c.here, c.in(1s), c.got, c.log);
        reads.start();
        CHECK(c.got == "late");
    }
}

TEST_CASE("a write goes on as the peer takes, in two pieces as in one") {
    for (const auto family : families) {
        connected c(family());
        const std::string first(9'000'000, 'a'), second(16'000'000, 'b');
        auto writes = write_all(c.here, c.in(100s), {first, second}, c.log);
        writes.start();
        CHECK(c.log.empty());
        std::string taken;
        const auto until = std::chrono::steady_clock::now() + 5s;
        while (taken.size() < first.size() + second.size() && std::chrono::steady_clock::now() < until) {
            taken += c.there.receive();
            c.loop.turn();
        }
        const bool same = taken == first + second;
        CHECK(same);
        CHECK(c.log == std::vector<std::string>{"written"});
    }
}

TEST_CASE("a write that the peer does not take has its deadline") {
    connected c(unix_pair());
    const std::string much(4'000'000, 'x');
    auto writes = write_all(c.here, c.in(1s), {much, {}}, c.log);
    writes.start();
    c.loop.timers.skip(2s);
    CHECK(c.log == std::vector<std::string>{"deadline"});
}

TEST_CASE("one reads and one writes at the same time") {
    for (const auto family : families) {
        connected c(family());
        const std::string much(20'000'000, 'x');
        std::vector<std::string> writer_log;
        auto reads = read_all(c.here, c.in(10s), c.got, c.log);
        auto writes = write_all(c.here, c.in(10s), {much, {}}, writer_log);
        reads.start();
        writes.start();
        c.there.send("while it writes");
        c.loop.turn();
        CHECK(c.got == "while it writes");
        CHECK(writer_log.empty());
        std::size_t taken = 0;
        const auto until = std::chrono::steady_clock::now() + 5s;
        while (taken < much.size() && std::chrono::steady_clock::now() < until) {
            taken += c.there.receive().size();
            c.loop.turn();
        }
        CHECK(taken == much.size());
        CHECK(writer_log == std::vector<std::string>{"written"});
        CHECK(c.log.empty());
    }
}

TEST_CASE("an urgent byte ends a wait, brings nothing, and hides nothing behind it") {
    connected c(tcp_pair());
    auto reads = read_all(c.here, c.in(1s), c.got, c.log);
    reads.start();
    for (int i = 0; i < 4; ++i) { // more would not be sent at once
        c.there.send("!", MSG_OOB);
        c.loop.turn();
    }
    CHECK(c.log.empty());
    c.there.send("abc");
    c.there.send("!", MSG_OOB);
    c.there.send("def");
    c.loop.turn();
    CHECK(c.got == "abcdef");
    c.there.send("!", MSG_OOB);
    c.loop.timers.skip(1'100ms); // none of them has prolonged it
    CHECK(c.log == std::vector<std::string>{"deadline"});
}

TEST_CASE("an end behind an urgent byte is seen") {
    connected c(tcp_pair());
    auto reads = read_all(c.here, c.in(10s), c.got, c.log);
    reads.start();
    c.there.send("abc!", MSG_OOB);
    c.there.end_writing();
    c.loop.turn();
    CHECK(c.got == "abc");
    CHECK(c.log == std::vector<std::string>{"end"});
}

TEST_CASE("who waits is told when a tied stream is gone") {
    for (const auto family : families) {
        connected client(family());
        const auto pair = family();
        stream backend(client.loop.set, client.loop.timers);
        peer_socket behind(pair.second);
        REQUIRE_FALSE(backend.open(pair.first));
        client.loop.turn();
        auto reads = read_all(backend, client.in(10s), client.got, client.log);
        reads.start();
        SUBCASE("by a close") {
            client.here.tie(backend, stream::tie_on::reset);
            client.there.reset();
            client.loop.turn();
            CHECK(client.log == std::vector<std::string>{"cancelled"});
        }
        SUBCASE("not by the end of its side") {
            client.here.tie(backend, stream::tie_on::reset);
            client.there.end_writing();
            client.loop.turn();
            CHECK(client.log.empty());
        }
        SUBCASE("by the end of its side, if that is asked for") {
            client.here.tie(backend, stream::tie_on::end);
            client.there.end_writing();
            client.loop.turn();
            CHECK(client.log == std::vector<std::string>{"cancelled"});
        }
        SUBCASE("no more when untied") {
            client.here.tie(backend, stream::tie_on::end);
            client.here.untie();
            client.there.close();
            client.loop.turn();
            CHECK(client.log.empty());
        }
    }
}

TEST_CASE("a stream at rest stirs when something comes that nobody asked for, and when it ends") {
    struct owner final : stream::idle_owner {
        void stirred(stream&) override { ++times; }
        int times = 0;
    };
    for (const auto family : families) {
        connected c(family());
        owner of;
        c.here.rest(&of);
        CHECK(c.here.is_quiet());
        c.loop.turn();
        CHECK(of.times == 0);
        SUBCASE("bytes") { c.there.send("x"); }
        SUBCASE("an end") { c.there.end_writing(); }
        SUBCASE("a close") { c.there.close(); }
        c.loop.turn();
        CHECK(of.times > 0);
        CHECK_FALSE(c.here.is_quiet());
    }
}

TEST_CASE("whether it is quiet is asked of the kernel, before any event has come") {
    for (const auto family : families) {
        connected c(family());
        CHECK(c.here.is_quiet());
        SUBCASE("bytes") { c.there.send("x"); }
        SUBCASE("an end") { c.there.end_writing(); }
        SUBCASE("a close") { c.there.close(); }
        SUBCASE("a reset") { c.there.reset(); }
        CHECK_FALSE(c.here.is_quiet());
    }
}

TEST_CASE("a stream ends as it is told to") {
    connected c(tcp_pair());
    SUBCASE("its side") {
        c.here.end_writing();
        CHECK(c.there.sees_end());
        c.there.send("still read");
        c.loop.turn();
        std::array<char, 64> space;
        CHECK(c.here.read_some(space).bytes == 10);
    }
    SUBCASE("both") {
        c.here.close();
        CHECK(c.there.sees_end());
        CHECK_FALSE(c.here.is_open());
    }
    SUBCASE("by a reset") {
        c.here.reset();
        CHECK(c.there.sees_reset());
    }
}

TEST_CASE("a descriptor that the set does not take is closed, and said to be wrong") {
    event_loop loop;
    stream one(loop.set, loop.timers);
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    ::close(ends[0]);
    ::close(ends[1]);
    CHECK(one.open(ends[0]));
    CHECK_FALSE(one.is_open());
}

TEST_CASE("one at rest was quiet as of a look after it came to rest, and if nothing was told since") {
    for (const auto family : families) {
        struct owner final : stream::idle_owner {
            void stirred(stream&) override { ++times; }
            int times = 0;
        } owner;
        connected c(family());
        c.here.rest(&owner);
        CHECK_FALSE(c.here.was_quiet()); // nobody has looked yet
        const auto pair = unix_pair();
        stream busy(c.loop.set, c.loop.timers); // which makes for a look
        const peer_socket far(pair.second);
        REQUIRE_FALSE(busy.open(pair.first));
        c.loop.turn();
        CHECK(c.here.was_quiet());
        CHECK(owner.times == 0);
        c.there.send("x");
        CHECK(c.here.was_quiet()); // as of that look
        c.loop.turn();
        CHECK_FALSE(c.here.was_quiet());
        CHECK(owner.times == 1);
        c.here.rest(nullptr);
    }
}

} // namespace stream_test
