#include "sidecar/readiness.hpp"

namespace sidecar {
namespace {

// Ids may come in sequence, and clients choose what is looked up: each bit of the id must reach each bit of the hash.
std::uint64_t mix(std::uint64_t x) noexcept {
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93;
    x = (x ^ x >> 32) * 0xD6E8FEB86659FD93;
    return x ^ x >> 32;
}

std::uint64_t hash(const uuid& id) noexcept { return mix(id.low ^ mix(id.high)); }

// Five slots in eight are taken, duplicates aside: 38.4 bytes an entry, and short runs.
std::size_t slots_for(std::size_t entries) noexcept { return entries + entries / 2 + entries / 10 + 1; }

} // namespace

resource_table::resource_table(const std::vector<entry>& entries) {
    if (entries.empty()) return;
    slots_.resize(slots_for(entries.size()));
    for (const auto& e : entries) {
        slot& s = slots_[slot_of(e.id)];
        if (!s.used) ++size_;
        s = {e.id, e.members, true};
    }
    for (const slot& s : slots_)
        for (std::size_t member = 0; member < schema::members_max; ++member)
            if (s.members.get(member) == state::not_ready) ++not_ready_counts_[member];
}

const member_states* resource_table::find(const uuid& id) const noexcept {
    if (slots_.empty()) return nullptr;
    const slot& s = slots_[slot_of(id)];
    return s.used ? &s.members : nullptr;
}

// The one that has the id, or the free one where it would go; one is always free.
std::size_t resource_table::slot_of(const uuid& id) const noexcept {
    // The upper half of the hash as a fraction of the size: no division, and any size will do.
    std::size_t at = (hash(id) >> 32) * slots_.size() >> 32;
    while (slots_[at].used && slots_[at].id != id)
        if (++at == slots_.size()) at = 0;
    return at;
}

std::size_t resource_table::memory_bytes() const noexcept { return slots_.capacity() * sizeof(slot); }

std::vector<resource_table::entry> resource_table::not_ready(std::size_t limit) const {
    std::vector<entry> found;
    for (const slot& s : slots_) {
        if (found.size() == limit) break;
        if (s.members.any_not_ready()) found.push_back({s.id, s.members});
    }
    return found;
}

} // namespace sidecar
