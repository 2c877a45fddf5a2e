#include "sidecar/readiness.hpp"

#include <algorithm>
#include <array>
#include <span>

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

resource_table::resource_table(const std::vector<entry>& listed, std::pmr::memory_resource& memory)
    : resource_table(memory) {
    std::span<const entry> entries(listed);
    if (entries.empty()) return;
    tags_.resize(slots_for(entries.size()), free_slot);
    slots_.resize(tags_.size());
    // In a large table each place is a miss of the cache: those of several entries are waited for at once.
    std::array<std::uint64_t, 32> hashes{};
    while (!entries.empty()) {
        const auto some = entries.first(std::min(entries.size(), hashes.size()));
        for (std::size_t i = 0; i < some.size(); ++i) {
            hashes[i] = hash(some[i].id);
            const auto at = first_slot(hashes[i], tags_.size());
            __builtin_prefetch(&tags_[at], 1);
            __builtin_prefetch(&slots_[at], 1);
        }
        for (std::size_t i = 0; i < some.size(); ++i) {
            const auto at = slot_of(some[i].id, hashes[i]);
            auto& slot = slots_[at];
            if (tags_[at] == free_slot) ++size_;
            slot.members.for_each_not_ready([this](std::size_t member) { --not_ready_counts_[member]; });
            some[i].members.for_each_not_ready([this](std::size_t member) { ++not_ready_counts_[member]; });
            tags_[at] = tag(hashes[i]);
            slot = some[i];
        }
        entries = entries.subspan(some.size());
    }
}

const resource_table::entry* resource_table::find_entry(const uuid& id) const noexcept {
    if (slots_.empty()) return nullptr;
    const auto at = slot_of(id, hash(id));
    return tags_.data()[at] == free_slot ? nullptr : slots_.data() + at; // below the size, by slot_of
}

const member_states* resource_table::find(const uuid& id) const noexcept {
    const auto* const found = find_entry(id);
    return found ? &found->members : nullptr;
}

std::optional<std::uint32_t> resource_table::not_ready_since(const uuid& id) const noexcept {
    const auto* const found = find_entry(id);
    return found && found->members.any_not_ready() ? std::optional(found->since) : std::nullopt;
}

// The one that has the id, or the free one where it would go; one is always free.
std::size_t resource_table::slot_of(const uuid& id, std::uint64_t hashed) const noexcept {
    const auto wanted = tag(hashed);
    const auto size = tags_.size();
    const auto* const tags = tags_.data(); // `at` stays below `size`: no need to check each step
    const auto* const slots = slots_.data();
    auto at = first_slot(hashed, size);
    while (tags[at] != free_slot && !(tags[at] == wanted && slots[at].id == id))
        if (++at == size) at = 0;
    return at;
}

std::size_t resource_table::memory_bytes() const noexcept {
    return tags_.capacity() * sizeof(std::uint8_t) + slots_.capacity() * sizeof(entry);
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
        const auto* const known = before.find_entry(e.id);
        e.since = known && known->members.any_not_ready() ? known->since : now;
        oldest_since_ = std::min(e.since, oldest_since_.value_or(e.since));
    }
}

void resource_table::note_seen_earlier(const uuid& id, std::uint32_t since) noexcept {
    auto* const found = const_cast<entry*>(find_entry(id));
    if (!found || !found->members.any_not_ready() || found->since <= since) return;
    found->since = since;
    oldest_since_ = std::min(since, oldest_since_.value_or(since));
}

} // namespace sidecar
