#include "sidecar/readiness.hpp"

#include <doctest/doctest.h>

#include <random>
#include <unordered_map>

namespace readiness_test {

using namespace sidecar;
using namespace std::chrono_literals;

constexpr uuid a{1, 1}, b{1, 2};
const time_point start = time_point{} + 1h;

member_states both(state first, state second) {
    member_states states;
    states.set(0, first);
    states.set(1, second);
    return states;
}

const member_states not_ready = both(state::not_ready, state::not_ready);
const member_states all_ready = both(state::ready, state::ready);

learned_entry lesson(const uuid& id, time_point at, member_states members = not_ready) { return {0, id, members, at}; }

// A document in which `a` is listed so, asked for at `start` and answered 100 ms later.
readiness told(member_states about_a) {
    readiness known;
    auto document = std::make_shared<status_document>();
    document->collections.emplace_back(std::vector<resource_table::entry>{{a, about_a}});
    known.document = std::move(document);
    known.asked_at = start;
    known.answered_at = start + 100ms;
    return known;
}

void teach(readiness& known, std::vector<learned_entry> entries) {
    known.recent = std::make_shared<learned>(learned{std::move(entries)});
}

TEST_CASE("a schema finds its collections by name") {
    const schema needs{{{"projects", {"x"}}, {"files", {"y"}}}};
    CHECK(needs.collection_of("files") == 1);
    CHECK_FALSE(needs.collection_of("file"));
    CHECK(needs == schema{{{"projects", {"x"}}, {"files", {"y"}}}});
    CHECK(needs != schema{{{"projects", {"x"}}, {"files", {"z"}}}});
    CHECK(needs != schema{});
}

TEST_CASE("sixteen members keep their states apart") {
    member_states states;
    for (std::size_t i = 0; i < schema::members_max; ++i) states.set(i, static_cast<state>(i % 3));
    for (std::size_t i = 0; i < schema::members_max; ++i) CHECK(states.get(i) == static_cast<state>(i % 3));
    CHECK(states.any_not_ready());
    CHECK_FALSE(all_ready.any_not_ready());
    CHECK_FALSE(member_states{}.any_not_ready());
}

TEST_CASE("an empty table finds nothing") {
    CHECK(resource_table{}.find(a) == nullptr);
    CHECK(resource_table(std::vector<resource_table::entry>{}).find({}) == nullptr);
    CHECK(resource_table{}.size() == 0);
    CHECK(resource_table{}.oldest_not_ready(10).empty());
}

TEST_CASE("the nil id is an id like any other") {
    const resource_table table({{a, not_ready}});
    CHECK(table.find({}) == nullptr);
    CHECK(resource_table(std::vector<resource_table::entry>{{uuid{}, not_ready}}).find({}) != nullptr);
}

TEST_CASE("an entry of which nothing is known is listed all the same") {
    const resource_table table({{a, {}}});
    REQUIRE(table.find(a) != nullptr);
    CHECK(table.find(a)->get(0) == state::unknown);
}

TEST_CASE("the last of two entries with one id counts, once") {
    const resource_table table({{a, not_ready}, {b, not_ready}, {a, all_ready}});
    CHECK(table.size() == 2);
    CHECK(*table.find(a) == all_ready);
    CHECK(table.not_ready_count(0) == 1);
}

TEST_CASE("what is not ready can be listed and counted") {
    const resource_table table({{a, both(state::ready, state::not_ready)}, {b, all_ready}, {uuid{2, 2}, not_ready}});
    CHECK(table.not_ready_count(0) == 1);
    CHECK(table.not_ready_count(1) == 2);
    CHECK(table.oldest_not_ready(10).size() == 2);
    CHECK(table.oldest_not_ready(1).size() == 1);
    CHECK(table.oldest_not_ready(0).empty());
}

TEST_CASE("property: a table says what a map says") {
    std::mt19937_64 random(9);
    for (int round = 0; round < 300; ++round) {
        // From few ids, so that many are there twice and many that are asked for are there.
        const auto some_id = [&] { return uuid{random() % 8, random() % 16}; };
        std::vector<resource_table::entry> entries(random() % 200);
        std::unordered_map<std::string, member_states> expected;
        for (auto& entry : entries) {
            entry = {some_id(), both(static_cast<state>(random() % 3), static_cast<state>(random() % 3))};
            expected[to_string(entry.id)] = entry.members;
        }
        const resource_table table(entries);
        REQUIRE(table.size() == expected.size());
        std::size_t count = 0;
        for (const auto& [id, states] : expected) count += states.get(1) == state::not_ready ? 1 : 0;
        REQUIRE(table.not_ready_count(1) == count);
        for (int i = 0; i < 100; ++i) {
            const auto id = some_id();
            const auto* found = table.find(id);
            const auto wanted = expected.find(to_string(id));
            REQUIRE((found != nullptr) == (wanted != expected.end()));
            if (found) REQUIRE(*found == wanted->second);
        }
    }
}

TEST_CASE("a million entries take at most 40 bytes each, and each is found") {
    std::vector<resource_table::entry> entries;
    const char* ids = "";
    SUBCASE("random ids") {
        ids = "random";
        std::mt19937_64 random(1);
        for (int i = 0; i < 1'000'000; ++i) entries.push_back({{random(), random()}, not_ready});
    }
    SUBCASE("ids in sequence") {
        ids = "in sequence";
        for (std::uint64_t i = 0; i < 1'000'000; ++i) entries.push_back({{0x0123456789ABCDEF, i}, not_ready});
    }
    SUBCASE("ids that differ in their upper bits alone") {
        ids = "upper bits";
        for (std::uint64_t i = 0; i < 1'000'000; ++i) entries.push_back({{i << 44, 0}, not_ready});
    }
    CAPTURE(ids);
    const resource_table table(entries);
    REQUIRE(table.size() == entries.size());
    CHECK(table.memory_bytes() <= 40 * table.size());
    for (const auto& entry : entries) {
        if (!table.find(entry.id)) FAIL("not found: ", to_string(entry.id));
        if (table.find({~entry.id.high, ~entry.id.low})) FAIL("found: the inverse of ", to_string(entry.id));
    }
}

TEST_CASE("before the first poll all is unknown") {
    CHECK(readiness{}.look_up(0, 0, a, start) == state::unknown);
    CHECK_FALSE(readiness{}.fresh(start));
}

TEST_CASE("a fresh document's word counts; what it does not list is as `unlisted` says") {
    auto known = told(both(state::not_ready, state::unknown));
    CHECK(known.look_up(0, 0, a, start + 1s) == state::not_ready);
    CHECK(known.look_up(0, 1, a, start + 1s) == state::ready);
    CHECK(known.look_up(0, 0, b, start + 1s) == state::ready);
    CHECK(known.look_up(1, 0, a, start + 1s) == state::ready); // a collection it does not know
    known.unlisted_means = unlisted::unknown;
    CHECK(known.look_up(0, 0, a, start + 1s) == state::not_ready);
    CHECK(known.look_up(0, 1, a, start + 1s) == state::unknown);
    CHECK(known.look_up(0, 0, b, start + 1s) == state::unknown);
    CHECK(known.look_up(1, 0, a, start + 1s) == state::unknown);
}

TEST_CASE("a document older than max_age says nothing") {
    const auto known = told(not_ready);
    CHECK(known.look_up(0, 0, a, known.answered_at + 30s) == state::not_ready);
    CHECK(known.look_up(0, 0, a, known.answered_at + 30s + 1ns) == state::unknown);
    CHECK(known.look_up(0, 0, b, known.answered_at + 30s + 1ns) == state::unknown);
}

TEST_CASE("what was learned counts until a poll sent after it has succeeded") {
    auto known = told(all_ready);
    teach(known, {lesson(a, start - 1ns), lesson(b, start)});
    CHECK(known.look_up(0, 0, a, start + 1s) == state::ready);     // the poll was sent after it
    CHECK(known.look_up(0, 0, b, start + 1s) == state::not_ready); // the poll was not
    known.asked_at = start + 1ns;
    CHECK(known.look_up(0, 0, b, start + 1s) == state::ready);
}

TEST_CASE("what was learned counts without any poll, and while the document is stale") {
    readiness known;
    teach(known, {lesson(a, start)});
    CHECK(known.look_up(0, 0, a, start) == state::not_ready);
    known = told(all_ready);
    teach(known, {lesson(a, start + 40s)});
    CHECK(known.look_up(0, 0, a, start + 50s) == state::not_ready);
    CHECK(known.look_up(0, 0, b, start + 50s) == state::unknown);
}

TEST_CASE("what was learned ages as the document does") {
    readiness known;
    teach(known, {lesson(a, start)});
    CHECK(known.look_up(0, 0, a, start + 30s) == state::not_ready);
    CHECK(known.look_up(0, 0, a, start + 30s + 1ns) == state::unknown);
}

TEST_CASE("what was learned does not end before a document that was asked for before it") {
    auto known = told(all_ready);
    known.answered_at = start + 5s; // a slow poll
    teach(known, {lesson(a, start + 1s)});
    CHECK(known.look_up(0, 0, a, start + 31s + 1ns) == state::not_ready);
    CHECK(known.look_up(0, 0, a, start + 35s) == state::not_ready);
    CHECK(known.look_up(0, 0, a, start + 35s + 1ns) == state::unknown);
}

TEST_CASE("a lesson goes over to another schema by the names") {
    const schema from{{{"projects", {"is_upload_ready", "is_download_ready"}}}};
    const schema to{{{"files", {"is_a"}}, {"projects", {"is_a", "is_download_ready"}}}};
    auto what = lesson(a, start);
    what.members.set(1, state::not_ready);
    const auto there = translated(what, from, to);
    REQUIRE(there);
    CHECK(there->collection == 1);
    CHECK(there->id == a);
    CHECK(there->at == start);
    CHECK(there->members.get(0) == state::unknown);
    CHECK(there->members.get(1) == state::not_ready);
    CHECK_FALSE(translated(what, from, schema{{{"files", {"is_a"}}}}));
    CHECK_FALSE(translated(what, from, schema{{{"projects", {"is_a"}}}}));
}

TEST_CASE("a lesson says nothing of other members, collections and ids") {
    auto known = told(all_ready);
    teach(known, {lesson(a, start + 1s, both(state::unknown, state::not_ready))});
    CHECK(known.look_up(0, 0, a, start + 2s) == state::ready);
    CHECK(known.look_up(0, 1, a, start + 2s) == state::not_ready);
    CHECK(known.look_up(1, 1, a, start + 2s) == state::ready);
    CHECK(known.look_up(0, 1, b, start + 2s) == state::ready);
}

TEST_CASE("two lessons about one resource count together") {
    auto known = told(all_ready);
    teach(known, {lesson(a, start + 1s, both(state::not_ready, state::unknown)),
                  lesson(a, start + 2s, both(state::unknown, state::not_ready))});
    CHECK(known.look_up(0, 0, a, start + 3s) == state::not_ready);
    CHECK(known.look_up(0, 1, a, start + 3s) == state::not_ready);
}

TEST_CASE("the newest lesson is found") {
    const learned recent{{lesson(a, start), lesson(b, start), lesson(a, start + 1s)}};
    REQUIRE(recent.find(0, a) != nullptr);
    CHECK(recent.find(0, a)->at == start + 1s);
    CHECK(recent.find(1, a) == nullptr);
    CHECK(recent.find(0, {3, 3}) == nullptr);
}

TEST_CASE("a new lesson is added to a copy, without those that are over") {
    std::size_t dropped = 7;
    const learned before{{lesson(a, start), lesson({2, 2}, start + 1s), lesson({3, 3}, start + 2s)}};
    auto after = before.with(lesson(b, start + 3s), std::nullopt, start, 10, dropped);
    CHECK(after.entries.size() == 4);
    CHECK(after.entries.back().id == b);
    CHECK(dropped == 0);
    CHECK(before.entries.size() == 3);
    CHECK(before.with(lesson(b, start + 3s), start + 1s, start, 10, dropped).entries.size() == 3);        // by a poll
    CHECK(before.with(lesson(b, start + 3s), std::nullopt, start + 1s, 10, dropped).entries.size() == 3); // by age
    CHECK(before.with(lesson(a, start + 3s), std::nullopt, start, 10, dropped).entries.size() == 3);      // by itself
    CHECK(before.with(lesson(a, start + 3s, all_ready), std::nullopt, start, 10, dropped).entries.size() == 4);
    CHECK(dropped == 0);
}

TEST_CASE("beyond the limit the oldest go, and are counted") {
    std::size_t dropped = 0;
    const learned before{{lesson(a, start), lesson({2, 2}, start), lesson({3, 3}, start)}};
    const auto after = before.with(lesson(b, start), std::nullopt, start, 2, dropped);
    CHECK(dropped == 2);
    REQUIRE(after.entries.size() == 2);
    CHECK(after.entries[0].id == uuid{3, 3});
    CHECK(after.entries[1].id == b);
    CHECK(before.with(lesson(b, start), std::nullopt, start, 0, dropped).entries.empty());
    CHECK(dropped == 4);
}

// What is not ready since when.

status_document listing(const std::vector<resource_table::entry>& entries) {
    status_document document;
    document.collections.emplace_back(entries);
    document.collections.emplace_back();
    return document;
}

// Takes the next document as a poll does.
void poll(readiness& known, time_point at, const std::vector<resource_table::entry>& entries) {
    auto document = listing(entries);
    document.note_first_seen(known, at);
    known.document = std::make_shared<const status_document>(std::move(document));
    known.asked_at = known.answered_at = at;
}

std::vector<std::pair<std::uint64_t, std::chrono::seconds>> since(const readiness& known, time_point now,
                                                                  std::size_t limit = 10) {
    std::vector<std::pair<std::uint64_t, std::chrono::seconds>> found;
    for (const auto& each : known.oldest_not_ready(limit, now))
        found.emplace_back(each.id.low, std::chrono::duration_cast<std::chrono::seconds>(each.since - start));
    return found;
}

using seen = std::vector<std::pair<std::uint64_t, std::chrono::seconds>>;

TEST_CASE("what is not ready is so since the first document that said it, longest first") {
    readiness known;
    poll(known, start, {{a, not_ready}, {uuid{1, 3}, all_ready}});
    poll(known, start + 5s, {{b, both(state::ready, state::not_ready)}, {a, not_ready}, {uuid{1, 3}, all_ready}});
    CHECK(since(known, start + 6s) == seen{{a.low, 0s}, {b.low, 5s}});
    CHECK(since(known, start + 6s, 1) == seen{{a.low, 0s}});
    CHECK(since(known, start + 6s, 0).empty());
    CHECK(known.oldest_not_ready_since(start + 6s) == start);
    CHECK(known.document->collections[0].oldest_since().has_value());
    CHECK_FALSE(known.document->collections[1].oldest_since().has_value());
}

TEST_CASE("what was ready in between, or was not listed, begins anew") {
    readiness known;
    poll(known, start, {{a, not_ready}, {b, not_ready}});
    poll(known, start + 1s, {{b, all_ready}});
    CHECK(since(known, start + 1s).empty());
    CHECK_FALSE(known.oldest_not_ready_since(start + 1s).has_value());
    poll(known, start + 2s, {{a, not_ready}, {b, not_ready}});
    CHECK(since(known, start + 2s) == seen{{a.low, 2s}, {b.low, 2s}});
}

TEST_CASE("what was learned is not ready since then, also when a document says so later") {
    readiness known;
    poll(known, start, {});
    teach(known, {lesson(a, start + 1s), lesson(b, start + 2s), lesson(uuid{1, 3}, start + 3s, all_ready)});
    CHECK(since(known, start + 3s) == seen{{a.low, 1s}, {b.low, 2s}});
    CHECK(known.oldest_not_ready(1, start + 3s).front().learned);
    CHECK(known.oldest_not_ready_since(start + 3s) == start + 1s);

    poll(known, start + 4s, {{a, not_ready}, {uuid{1, 3}, all_ready}});
    CHECK(since(known, start + 4s) == seen{{a.low, 1s}});
    CHECK_FALSE(known.oldest_not_ready(1, start + 4s).front().learned);
    CHECK(known.oldest_not_ready_since(start + 4s) == start + 1s);
}

TEST_CASE("since when a single resource is not ready is known, by the document or by what was learned") {
    readiness known;
    poll(known, start, {{a, not_ready}, {uuid{1, 3}, all_ready}});
    teach(known, {lesson(b, start + 2s), lesson(b, start + 3s), lesson(a, start + 3s)});
    const auto now = start + 4s;
    CHECK(known.not_ready_since(0, a, now) == start);
    CHECK(known.not_ready_since(0, b, now) == start + 2s);
    CHECK_FALSE(known.not_ready_since(0, uuid{1, 3}, now).has_value());
    CHECK_FALSE(known.not_ready_since(0, uuid{9, 9}, now).has_value());
    CHECK_FALSE(known.not_ready_since(1, a, now).has_value());
    CHECK_FALSE(known.not_ready_since(7, a, now).has_value());
    CHECK_FALSE(known.not_ready_since(0, a, now + 1h).has_value()); // all is stale
    CHECK_FALSE(readiness{}.not_ready_since(0, a, now).has_value());
}

TEST_CASE("a lesson that is younger than the document, or of another collection, changes no time") {
    readiness known;
    poll(known, start, {{a, not_ready}});
    teach(known, {lesson(a, start + 1s), {1, a, not_ready, start - 9s}, {7, a, not_ready, start - 9s}});
    poll(known, start + 2s, {{a, not_ready}});
    CHECK(since(known, start + 2s) == seen{{a.low, 0s}});
}

TEST_CASE("each resource is named once, with what was learned of it and its earliest time") {
    readiness known;
    poll(known, start, {{a, both(state::unknown, state::not_ready)}});
    teach(known, {lesson(a, start + 1s, both(state::not_ready, state::unknown)), {1, a, not_ready, start + 2s}});
    const auto found = known.oldest_not_ready(10, start + 2s);
    REQUIRE(found.size() == 2);
    CHECK(found[0].since == start);
    CHECK(found[0].members == not_ready);
    CHECK(found[0].learned);
    CHECK(found[1].collection == 1);
    CHECK(found[1].since == start + 2s);
}

TEST_CASE("what is stale is not named") {
    readiness known;
    known.max_age = 10s;
    poll(known, start, {{a, not_ready}});
    teach(known, {lesson(b, start + 5s)});
    CHECK(since(known, start + 10s) == seen{{a.low, 0s}, {b.low, 5s}});
    CHECK(since(known, start + 11s) == seen{{b.low, 5s}});
    CHECK(known.oldest_not_ready_since(start + 11s) == start + 5s);
    CHECK(since(known, start + 16s).empty());
    CHECK_FALSE(known.oldest_not_ready_since(start + 16s).has_value());
}

TEST_CASE("of many, the oldest are named") {
    std::mt19937_64 random(5);
    std::vector<resource_table::entry> listed;
    readiness known;
    for (std::uint64_t i = 0; i < 300; ++i) {
        listed.push_back({uuid{random(), i}, not_ready});
        poll(known, start + std::chrono::seconds(i), listed);
    }
    const auto found = since(known, start + 300s, 20);
    REQUIRE(found.size() == 20);
    for (std::uint64_t i = 0; i < 20; ++i) CHECK(found[i] == std::pair{i, std::chrono::seconds(i)});
}

} // namespace readiness_test
