#include "sidecar/readiness.hpp"

#include <algorithm>
#include <tuple>

namespace sidecar {
namespace {

// Seconds are enough for people, and fit where padding would be.
std::uint32_t seconds_of(time_point at) noexcept {
    return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(at.time_since_epoch()).count());
}

time_point time_of(std::uint32_t seconds) noexcept { return time_point(std::chrono::seconds(seconds)); }

} // namespace

bool operator==(const schema::collection& a, const schema::collection& b) {
    return a.name == b.name && a.members == b.members;
}

std::optional<std::size_t> schema::collection_of(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < collections.size(); ++i)
        if (collections[i].name == name) return i;
    return std::nullopt;
}

std::optional<learned_entry> translated(const learned_entry& lesson, const schema& from, const schema& to) {
    const auto& named = from.collections[lesson.collection];
    const auto collection = to.collection_of(named.name);
    if (!collection) return std::nullopt;
    learned_entry there{*collection, lesson.id, {}, lesson.at};
    const auto& members = to.collections[*collection].members;
    for (std::size_t i = 0; i < members.size(); ++i) {
        const auto known = std::find(named.members.begin(), named.members.end(), members[i]);
        if (known == named.members.end()) continue;
        there.members.set(i, lesson.members.get(static_cast<std::size_t>(known - named.members.begin())));
    }
    return there.members == member_states{} ? std::nullopt : std::optional(there);
}

const learned_entry* learned::find(std::size_t collection, const uuid& id) const noexcept {
    const auto newest = std::find_if(entries.rbegin(), entries.rend(),
                                     [&](const auto& e) { return e.id == id && e.collection == collection; });
    return newest == entries.rend() ? nullptr : &*newest;
}

learned learned::with(const learned_entry& lesson, std::optional<time_point> asked_at, time_point expired,
                      std::size_t entries_max, std::size_t& dropped) const {
    const auto is_over = [&](const learned_entry& e) {
        if (e.at < expired || (asked_at && e.at < *asked_at)) return true;
        return e.id == lesson.id && e.collection == lesson.collection && e.members == lesson.members;
    };
    learned next;
    next.entries.reserve(entries.size() + 1);
    std::remove_copy_if(entries.begin(), entries.end(), std::back_inserter(next.entries), is_over);
    next.entries.push_back(lesson);
    dropped = next.entries.size() > entries_max ? next.entries.size() - entries_max : 0;
    next.entries.erase(next.entries.begin(), next.entries.begin() + static_cast<std::ptrdiff_t>(dropped));
    return next;
}

state readiness::look_up(std::size_t collection, std::size_t member, const uuid& id, time_point now) const noexcept {
    if (recent) {
        // Two rules may each have taught other members of the same resource, so not just its newest entry.
        for (auto e = recent->entries.rbegin(); e != recent->entries.rend(); ++e) {
            if (e->id != id || e->collection != collection) continue;
            const auto taught = e->members.get(member);
            if (taught != state::unknown && counts(*e, now)) return taught;
        }
    }
    if (!fresh(now)) return state::unknown;
    const auto otherwise = unlisted_means == unlisted::ready ? state::ready : state::unknown;
    if (collection >= document->collections.size()) return otherwise;
    const auto* listed = document->collections[collection].find(id);
    const auto said = listed ? listed->get(member) : state::unknown;
    return said == state::unknown ? otherwise : said;
}

void status_document::note_first_seen(const readiness& before, time_point now) {
    static const resource_table nothing;
    for (std::size_t i = 0; i < collections.size(); ++i) {
        const bool known = before.document && i < before.document->collections.size();
        collections[i].note_first_seen(known ? before.document->collections[i] : nothing, seconds_of(now));
    }
    if (!before.recent) return;
    for (const auto& lesson : before.recent->entries)
        if (lesson.collection < collections.size())
            collections[lesson.collection].note_seen_earlier(lesson.id, seconds_of(lesson.at));
}

std::vector<not_ready_entry> readiness::oldest_not_ready(std::size_t limit, time_point now) const {
    std::vector<not_ready_entry> found;
    if (recent)
        for (const auto& e : recent->entries)
            if (e.members.any_not_ready() && counts(e, now))
                found.push_back({e.collection, e.id, e.members, e.at, true});
    if (fresh(now))
        for (std::size_t i = 0; i < document->collections.size(); ++i)
            for (const auto& e : document->collections[i].oldest_not_ready(limit))
                found.push_back({i, e.id, e.members, time_of(e.since), false});

    // Each resource once, with its earliest time; what was learned of it comes first and has the say.
    const auto place = [](const not_ready_entry& e) { return std::tie(e.collection, e.id); };
    std::stable_sort(found.begin(), found.end(), [&](auto& a, auto& b) { return place(a) < place(b); });
    std::vector<not_ready_entry> distinct;
    for (const auto& e : found) {
        if (distinct.empty() || place(distinct.back()) != place(e)) {
            distinct.push_back(e);
            continue;
        }
        distinct.back().since = std::min(distinct.back().since, e.since);
        for (std::size_t member = 0; member < schema::members_max; ++member)
            if (distinct.back().members.get(member) == state::unknown)
                distinct.back().members.set(member, e.members.get(member));
    }
    std::stable_sort(distinct.begin(), distinct.end(), [](auto& a, auto& b) { return a.since < b.since; });
    if (distinct.size() > limit) distinct.resize(limit);
    return distinct;
}

std::optional<time_point> readiness::not_ready_since(std::size_t collection, const uuid& id,
                                                     time_point now) const noexcept {
    std::optional<time_point> first;
    const auto take = [&first](time_point since) { first = first ? std::min(*first, since) : since; };
    if (recent)
        for (const auto& e : recent->entries)
            if (e.id == id && e.collection == collection && e.members.any_not_ready() && counts(e, now)) take(e.at);
    if (fresh(now) && collection < document->collections.size())
        if (const auto since = document->collections[collection].not_ready_since(id)) take(time_of(*since));
    return first;
}

std::optional<time_point> readiness::oldest_not_ready_since(time_point now) const noexcept {
    std::optional<time_point> oldest;
    const auto take = [&oldest](time_point since) { oldest = oldest ? std::min(*oldest, since) : since; };
    if (recent)
        for (const auto& e : recent->entries)
            if (e.members.any_not_ready() && counts(e, now)) take(e.at);
    if (fresh(now))
        for (const auto& table : document->collections)
            if (const auto since = table.oldest_since()) take(time_of(*since));
    return oldest;
}

// FNV-1a over all names, each with its end.
std::uint64_t schema::fingerprint() const noexcept {
    std::uint64_t hash = 0xcbf29ce484222325;
    const auto add = [&hash](std::string_view name, unsigned char end) {
        for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        hash = (hash ^ end) * 0x100000001b3;
    };
    for (const auto& each : collections) {
        add(each.name, 1);
        for (const auto& member : each.members) add(member, 2);
    }
    return hash;
}

} // namespace sidecar
