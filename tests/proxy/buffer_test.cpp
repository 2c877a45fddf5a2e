#include "proxy/data_plane/buffer.hpp"

#include <doctest/doctest.h>

#include <string>
#include <utility>

namespace buffer_test {

using namespace sidecar;

void put(buffer& into, std::string_view bytes) { into.append(bytes); }

TEST_CASE("bytes come out of a buffer as they went in, whatever is consumed meanwhile") {
    buffer_pool pool;
    buffer one(pool);
    std::string in, out;
    for (std::size_t i = 0; i < 400; ++i) {
        const std::string part(1 + i * 37 % 900, static_cast<char>('a' + i % 26));
        put(one, part);
        in += part;
        const auto taken = one.data().size() * (i % 3) / 2;
        out += one.data().substr(0, taken);
        one.consume(taken);
    }
    out += one.data();
    CHECK(out == in);
}

TEST_CASE("a buffer at rest holds no memory") {
    buffer_pool pool;
    buffer one(pool);
    CHECK(one.capacity() == 0);
    put(one, "x");
    CHECK(one.capacity() >= 1);
    one.release();
    CHECK(one.capacity() == 0);
    CHECK(one.empty());
}

TEST_CASE("a head takes its block along, and what came behind it moves to a fresh one") {
    buffer_pool pool;
    buffer from(pool);
    put(from, "the head|and what came behind it");
    const auto view = from.data().substr(0, 8);
    buffer head = from.take_front(9);
    CHECK(head.data() == "the head|");
    CHECK(from.data() == "and what came behind it");
    // Whatever becomes of the other one, the views stay good: under the address sanitizer each block is its own.
    put(from, std::string(100'000, 'x'));
    from.release();
    buffer third(pool);
    put(third, std::string(20'000, 'y'));
    CHECK(view == "the head");
    CHECK(view.data() == head.data().data());
    SUBCASE("also when the head moves") {
        const buffer moved = std::move(head);
        CHECK(view.data() == moved.data().data());
    }
    SUBCASE("and all of it may be taken") {
        buffer all = head.take_front(head.data().size()); // NOLINT(bugprone-use-after-move): another case
        CHECK(head.empty());
        CHECK(all.data() == "the head|");
    }
}

TEST_CASE("a block that was given back is used again, unless sanitizers are to see each use behind its end") {
    buffer_pool pool;
    const char* first = nullptr;
    {
        buffer one(pool);
        put(one, "x");
        first = one.data().data();
    }
    buffer two(pool);
    put(two, "y");
#ifdef SIDECAR_SANITIZED
    CHECK(two.data() == "y");
    CHECK(first != nullptr);
#else
    CHECK(two.data().data() == first);
#endif
}

TEST_CASE("room is made for what is asked for, and what is there stays") {
    buffer_pool pool;
    buffer one(pool);
    put(one, "abc");
    for (const std::size_t room : {4U, 16'384U, 16'385U, 131'072U, 131'073U, 1'000'000U}) {
        one.reserve(room);
        CHECK(one.capacity() >= room);
        CHECK(one.data() == "abc");
    }
    one.consume(1);
    one.reserve(one.capacity()); // what was consumed is room again
    CHECK(one.data() == "bc");
    CHECK(one.space().size() == one.capacity() - 2);
}

} // namespace buffer_test
