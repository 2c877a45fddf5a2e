#include "tests/proxy/event_tools.hpp"

#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/epoll.h>

#include <optional>
#include <vector>

namespace readiness_set_test {

using namespace sidecar;
using namespace sidecar::testing;

struct told final : readiness_set::member {
    void on_ready(std::uint32_t events) override { all.push_back(events); }
    std::uint32_t last() const { return all.empty() ? 0 : all.back(); }
    std::vector<std::uint32_t> all;
};

struct fixture {
    event_loop loop;
    std::pair<int, int> pair = unix_pair();
    peer_socket here{pair.first}, there{pair.second};
    told member;
};

TEST_CASE_FIXTURE(fixture, "a member is told of what has changed, once") {
    REQUIRE_FALSE(loop.set.add(here.descriptor(), member));
    loop.turn();
    CHECK(member.last() == EPOLLOUT);
    const auto before = member.all.size();
    loop.turn();
    CHECK(member.all.size() == before);
    there.send("x");
    loop.turn();
    CHECK(member.all.size() == before + 1);
    CHECK((member.last() & EPOLLIN) != 0);
    loop.turn(); // edge-triggered: it is still there, and nobody is told again
    CHECK(member.all.size() == before + 1);
    there.send("y"); // more is news
    loop.turn();
    CHECK(member.all.size() == before + 2);
    there.close();
    loop.turn();
    CHECK((member.last() & (EPOLLRDHUP | EPOLLHUP)) == (EPOLLRDHUP | EPOLLHUP));
}

TEST_CASE_FIXTURE(fixture, "one that is removed is told of nothing more, not even in the same round") {
    auto other_pair = unix_pair();
    peer_socket other_here(other_pair.first), other_there(other_pair.second);
    struct remover final : readiness_set::member {
        void on_ready(std::uint32_t events) override {
            ++told;
            if (events & EPOLLIN) of->remove(descriptor);
        }
        readiness_set* of = nullptr;
        int descriptor = -1;
        int told = 0;
    };
    remover first, second;
    first.of = second.of = &loop.set;
    first.descriptor = other_here.descriptor();
    second.descriptor = here.descriptor();
    REQUIRE_FALSE(loop.set.add(here.descriptor(), first));
    REQUIRE_FALSE(loop.set.add(other_here.descriptor(), second));
    loop.turn();
    first.told = second.told = 0;
    there.send("x");
    other_there.send("x");
    loop.turn(); // whoever comes first removes the other
    CHECK(first.told + second.told == 1);
}

TEST_CASE_FIXTURE(fixture, "an event of a closed descriptor does not reach its successor") {
    struct closer final : readiness_set::member {
        void on_ready(std::uint32_t events) override {
            if (!(events & EPOLLIN) || !victim) return;
            // The other one's event lies in this round already; its number goes to another socket.
            const int descriptor = victim->descriptor();
            of->remove(descriptor);
            const auto pair = unix_pair();
            REQUIRE(::dup3(pair.first, descriptor, O_CLOEXEC) == descriptor);
            ::close(pair.first);
            replacement.emplace(victim->release());
            far_end.emplace(pair.second);
            REQUIRE_FALSE(of->add(descriptor, *successor));
            victim = nullptr;
        }
        readiness_set* of = nullptr;
        peer_socket* victim = nullptr;
        told* successor = nullptr;
        std::optional<peer_socket> replacement, far_end;
    };
    auto other_pair = unix_pair();
    peer_socket other_here(other_pair.first), other_there(other_pair.second);
    closer first;
    told second, successor;
    first.of = &loop.set;
    first.victim = &other_here;
    first.successor = &successor;
    REQUIRE_FALSE(loop.set.add(here.descriptor(), first));
    REQUIRE_FALSE(loop.set.add(other_here.descriptor(), second));
    loop.turn();
    there.send("x");
    other_there.send("x");
    loop.turn();
    for (const auto events : successor.all) CHECK((events & EPOLLIN) == 0);
}

TEST_CASE_FIXTURE(fixture, "a descriptor that the kernel does not take is an error, and no member") {
    const int file = ::open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    peer_socket closes(file);
    CHECK(loop.set.add(file, member) == std::errc::operation_not_permitted); // epoll knows no files
    CHECK(loop.set.add(1'000, member) == std::errc::bad_file_descriptor);
    loop.turn();
    CHECK(member.all.empty());
}

TEST_CASE_FIXTURE(fixture, "those at rest are told before the others, whoever's event came first") {
    struct order final : readiness_set::member {
        void on_ready(std::uint32_t events) override {
            if (events & EPOLLIN) log->push_back(this);
        }
        std::vector<const order*>* log = nullptr;
    };
    std::vector<const order*> log;
    auto other_pair = unix_pair();
    peer_socket other_here(other_pair.first), other_there(other_pair.second);
    order busy, resting;
    busy.log = resting.log = &log;
    REQUIRE_FALSE(loop.set.add(here.descriptor(), busy));
    REQUIRE_FALSE(loop.set.add(other_here.descriptor(), resting));
    loop.set.rest(other_here.descriptor(), true);
    loop.turn();
    const auto looks = loop.set.looks();
    there.send("x");
    other_there.send("x");
    CHECK(loop.set.looks() == looks);
    loop.turn();
    CHECK(loop.set.looks() > looks);
    CHECK(log == std::vector<const order*>{&resting, &busy}); // each once
    loop.set.rest(other_here.descriptor(), false);
    log.clear();
    there.send("x");
    other_there.send("x");
    loop.turn();
    CHECK(log == std::vector<const order*>{&busy, &resting});
}

// So many members, and who may write to each.
struct crowd {
    explicit crowd(std::size_t count) : members(count) {
        for (auto& each : members) {
            const auto pair = unix_pair();
            here.emplace_back(pair.first);
            there.emplace_back(pair.second);
            REQUIRE_FALSE(loop.set.add(pair.first, each));
        }
    }
    void write_to_all() const {
        for (const auto& each : there) each.send("x");
    }

    event_loop loop;
    std::vector<peer_socket> here, there;
    std::vector<told> members;
};

TEST_CASE("a round that may not have told of all is no look") {
    struct first_told final : readiness_set::member {
        void on_ready(std::uint32_t events) override {
            if (!(events & EPOLLIN) || seen) return;
            seen = of->looks();
            saw_all = of->saw_all();
        }
        readiness_set* of = nullptr;
        std::optional<std::uint64_t> seen;
        bool saw_all = true;
    };
    crowd all(300);
    const auto pair = unix_pair();
    const peer_socket early_here(pair.first), early_there(pair.second);
    first_told early;
    early.of = &all.loop.set;
    REQUIRE_FALSE(all.loop.set.add(pair.first, early));
    all.loop.turn();
    const auto before = all.loop.set.looks();
    early_there.send("x");
    all.write_to_all();
    all.loop.turn();
    CHECK(early.seen == before); // the first of more than fit into a round
    CHECK_FALSE(early.saw_all);
    CHECK(all.loop.set.saw_all());
    CHECK(all.loop.set.looks() > before);
}

TEST_CASE("very many members are told, more than fit into one round") {
    crowd all(600);
    all.loop.turn();
    all.write_to_all();
    all.loop.turn();
    for (const auto& each : all.members) CHECK((each.last() & EPOLLIN) != 0);
}

} // namespace readiness_set_test
