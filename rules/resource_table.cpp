#include "sidecar/readiness.hpp"

#include <algorithm>

namespace sidecar {
namespace {

// Ids may come in sequence, and clients choose what is looked up: each bit of the id must reach each bit of the hash.
std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93;
    return x ^ x >> 32;
}

std::uint64_t hash(const uuid& id) noexcept { return mix(id.low ^ mix(id.high)); }

// Two slots in three are taken, duplicates aside: short runs, at 37.5 bytes an entry.
std::size_t slots_for(std::size_t entries) noexcept { return entries + entries / 2 + 1; }

// The upper half of the hash as a fraction of the size: no division, and any size will do.
std::size_t first_slot(std::uint64_t hash, std::size_t slots) noexcept { return (hash >> 32) * slots >> 32; }

constexpr std::uint8_t free_slot = 0;
std::uint8_t tag(std::uint64_t hash) noexcept { return static_cast<std::uint8_t>(0x80 | (hash & 0x7F)); }

} // namespace

resource_table::resource_table(const std::vector<entry>& entries) {
    if (entries.empty()) return;
    tags_.resize(slots_for(entries.size()), free_slot);
    slots_.resize(tags_.size());
    for (const auto& e : entries) {
        const auto at = slot_of(e.id);
        if (tags_[at] == free_slot) ++size_;
        tags_[at] = tag(hash(e.id));
        slots_[at] = e;
    }
    for (const auto& e : slots_)
        for (std::size_t member = 0; member < schema::members_max; ++member)
            if (e.members.get(member) == state::not_ready) ++not_ready_counts_[member];
}

const member_states* resource_table::find(const uuid& id) const noexcept {
    if (slots_.empty()) return nullptr;
    const auto at = slot_of(id);
    return tags_[at] == free_slot ? nullptr : &slots_[at].members;
}

// The one that has the id, or the free one where it would go; one is always free.
std::size_t resource_table::slot_of(const uuid& id) const noexcept {
    const auto hashed = hash(id);
    const auto wanted = tag(hashed);
    auto at = first_slot(hashed, tags_.size());
    while (tags_[at] != free_slot && !(tags_[at] == wanted && slots_[at].id == id))
        if (++at == tags_.size()) at = 0;
    return at;
}

std::size_t resource_table::memory_bytes() const noexcept {
    return tags_.capacity() * sizeof(std::uint8_t) + slots_.capacity() * sizeof(entry);
}

std::vector<resource_table::entry> resource_table::not_ready(std::size_t limit) const {
    std::vector<entry> found;
    for (const auto& e : slots_) {
        if (found.size() == limit) break;
        if (e.members.any_not_ready()) found.push_back(e);
    }
    return found;
}

std::vector<resource_table::entry> resource_table::oldest_not_ready(std::size_t limit) const {
    const auto is_older = [](const entry& a, const entry& b) { return a.since < b.since; };
    std::vector<entry> oldest; // a heap, the youngest first
    if (limit == 0) return oldest;
    for (const auto& e : slots_) {
        if (!e.members.any_not_ready()) continue;
        if (oldest.size() == limit) {
            if (!is_older(e, oldest.front())) continue;
            std::pop_heap(oldest.begin(), oldest.end(), is_older);
            oldest.pop_back();
        }
        oldest.push_back(e);
        std::push_heap(oldest.begin(), oldest.end(), is_older);
    }
    return oldest;
}

// Both tables are in the order of the hash, so that going through one goes through the other: no cache is missed.
void resource_table::note_first_seen(const resource_table& before, std::uint32_t now) {
    for (auto& e : slots_) {
        if (!e.members.any_not_ready()) continue;
        e.since = now;
        if (!before.slots_.empty()) {
            const auto at = before.slot_of(e.id);
            if (before.tags_[at] != free_slot && before.slots_[at].members.any_not_ready())
                e.since = before.slots_[at].since;
        }
        oldest_since_ = std::min(e.since, oldest_since_.value_or(e.since));
    }
}

void resource_table::note_seen_earlier(const uuid& id, std::uint32_t since) noexcept {
    if (slots_.empty()) return;
    const auto at = slot_of(id);
    auto& e = slots_[at];
    if (tags_[at] == free_slot || !e.members.any_not_ready() || e.since <= since) return;
    e.since = since;
    oldest_since_ = std::min(since, oldest_since_.value_or(since));
}

} // namespace sidecar
