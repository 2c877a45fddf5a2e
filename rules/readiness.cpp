#include "sidecar/readiness.hpp"

#include <algorithm>

namespace sidecar {

bool operator==(const schema::collection& a, const schema::collection& b) {
    return a.name == b.name && a.members == b.members;
}

std::optional<std::size_t> schema::collection_of(std::string_view name) const noexcept {
    for (std::size_t i = 0; i < collections.size(); ++i)
        if (collections[i].name == name) return i;
    return std::nullopt;
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
            const bool overtaken = document && e->at < asked_at;
            const auto taught = e->members.get(member);
            if (taught != state::unknown && !overtaken && now - e->at <= max_age) return taught;
        }
    }
    if (!fresh(now)) return state::unknown;
    const auto otherwise = unlisted_means == unlisted::ready ? state::ready : state::unknown;
    if (collection >= document->collections.size()) return otherwise;
    const auto* listed = document->collections[collection].find(id);
    const auto said = listed ? listed->get(member) : state::unknown;
    return said == state::unknown ? otherwise : said;
}

} // namespace sidecar
