// The readiness cache: what the status document (docs/behaviour.md 7) and the responses that passed through say about
// resources. Everything here is an immutable value: built once, shared by all threads, looked up without a lock.
#pragma once

#include "sidecar/json_text.hpp"
#include "sidecar/result.hpp"
#include "sidecar/uuid.hpp"

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

// Monotonic time; never the wall clock, which jumps.
using time_point = std::chrono::steady_clock::time_point;

enum class state : std::uint8_t { unknown, not_ready, ready };

// Which collections and which booleans of their entries the rules ask for. What is not here is not kept.
struct schema {
    static constexpr std::size_t members_max = 16; // per collection: two bits each

    struct collection {
        std::string name;
        std::vector<std::string> members;
    };
    std::vector<collection> collections;

    std::optional<std::size_t> collection_of(std::string_view name) const noexcept;
    // Tells schemas apart: places in one mean nothing in another.
    std::uint64_t fingerprint() const noexcept;
    friend bool operator==(const schema&, const schema&) = default;
};
bool operator==(const schema::collection&, const schema::collection&);

// The states of one resource's members, by their place in the schema's collection.
class member_states {
public:
    state get(std::size_t member) const noexcept { return static_cast<state>(bits_ >> (2 * member) & 3U); }
    void set(std::size_t member, state to) noexcept {
        bits_ = (bits_ & ~(3U << (2 * member))) | static_cast<std::uint32_t>(to) << (2 * member);
    }
    bool any_not_ready() const noexcept { return not_ready_bits() != 0; }
    template <class F>
    void for_each_not_ready(const F& take) const { // its place
        for (auto bits = not_ready_bits(); bits != 0; bits &= bits - 1)
            take(static_cast<std::size_t>(std::countr_zero(bits)) / 2);
    }
    friend bool operator==(const member_states&, const member_states&) = default;

private:
    std::uint32_t not_ready_bits() const noexcept { return bits_ & ~(bits_ >> 1) & 0x55555555U; }

    std::uint32_t bits_ = 0; // all unknown
};

// One collection of a snapshot: an open-addressing table, at most 40 bytes an entry, built once.
// The last of two entries with the same id counts.
class resource_table {
public:
    struct entry {
        uuid id;
        member_states members;
        std::uint32_t since = 0; // first seen not ready: seconds of the monotonic clock; where padding would be
    };

    // The memory must outlive the table.
    explicit resource_table(std::pmr::memory_resource& memory = *std::pmr::get_default_resource())
        : tags_(&memory),
          slots_(&memory) {}
    explicit resource_table(const std::vector<entry>& listed,
                            std::pmr::memory_resource& memory = *std::pmr::get_default_resource());

    // nullptr: not listed. One hash and, nearly always, one cache line, or two if it is.
    const member_states* find(const uuid& id) const noexcept;
    std::size_t size() const noexcept { return size_; } // distinct ids
    std::size_t memory_bytes() const noexcept;

    // Up to `limit` entries for which any member is not ready: those first seen so longest ago, in no order.
    std::vector<entry> oldest_not_ready(std::size_t limit) const;
    std::optional<std::uint32_t> oldest_since() const noexcept { return oldest_since_; }
    // When this one was first seen not ready; nothing: it is ready, or not listed.
    std::optional<std::uint32_t> not_ready_since(const uuid& id) const noexcept;
    std::size_t not_ready_count(std::size_t member) const noexcept { return not_ready_counts_[member]; }

    // Of each entry that is not ready: when it was first seen so. What `before` knew as not ready keeps its time.
    void note_first_seen(const resource_table& before, std::uint32_t now);
    // An entry that is not ready was so already then.
    void note_seen_earlier(const uuid& id, std::uint32_t since) noexcept;

private:
    const entry* find_entry(const uuid& id) const noexcept;
    std::size_t slot_of(const uuid& id, std::uint64_t hash) const noexcept;

    // Seven bits of each slot's hash, or 0 where it is free. They fit a cache where the slots don't: an id that is not
    // listed, as most are not, is known from here alone.
    std::pmr::vector<std::uint8_t> tags_;
    std::pmr::vector<entry> slots_;
    std::size_t size_ = 0;
    std::array<std::size_t, schema::members_max> not_ready_counts_{};
    std::optional<std::uint32_t> oldest_since_; // of those that are not ready
};

struct readiness;

// One status document, whole.
struct status_document {
    std::vector<resource_table> collections; // as in the schema
    std::size_t bytes = 0;                   // of the document

    // Notes of what is not ready since when that is known: as `before` knew it, of an older document by the same schema
    // or learned, else `now`. Part of making a document, before it is shared.
    void note_first_seen(const readiness& before, time_point now);
};

// Reads a status document: whole or not at all. Fails on malformed JSON, a top level that is no object, a collection
// that is no array, an entry that is no object or has no UUID as `id`, a member that the schema names and that is no
// boolean; and on a name that is read here and stands there twice, of which it can't be known which is meant.
// A collection that is missing is empty. Other members are ignored.
result<status_document> read_status(const json_text& body, const schema&);

// The same for one document after the other. What reading takes beside the document, some 80 bytes an entry, is kept
// for the next one, until that needs less than a quarter of it: to have it anew from the kernel each time would take as
// long as the reading. One thread at a time.
class status_reader {
public:
    // What the documents' tables lie in; it must outlive them.
    explicit status_reader(std::pmr::memory_resource& tables = *std::pmr::get_default_resource());
    ~status_reader();
    status_reader(const status_reader&) = delete;
    status_reader& operator=(const status_reader&) = delete;

    result<status_document> read(const json_text& body, const schema&);

private:
    struct kept;
    std::pmr::memory_resource& tables_;
    std::unique_ptr<kept> kept_;
};

// A resource that a response just made: not ready in the members given, whatever an older poll says (docs/behaviour.md
// 7).
struct learned_entry {
    std::size_t collection = 0;
    uuid id;
    member_states members;
    time_point at; // when the response passed
};

// The same by another schema's places, by the names; nothing: that one asks for none of it.
std::optional<learned_entry> translated(const learned_entry&, const schema& from, const schema& to);

// Few entries: those of about one poll interval. Newest last.
struct learned {
    std::vector<learned_entry> entries;

    const learned_entry* find(std::size_t collection, const uuid& id) const noexcept; // the newest
    // A copy with one more; without those that `asked_at` (of the last good poll, if any) or `expired` (learned
    // before it) has ended, without an older one that says the same of the same resource, and without the oldest
    // beyond `entries_max`, whose number is `dropped`.
    learned with(const learned_entry&, std::optional<time_point> asked_at, time_point expired, std::size_t entries_max,
                 std::size_t& dropped) const;
};

enum class unlisted : std::uint8_t { ready, unknown };

struct not_ready_entry {
    std::size_t collection = 0;
    uuid id;
    member_states members;
    time_point since; // to the second, if a document said so
    bool learned = false;
};

// What `decide` is given: the last good poll and what has been learned since.
struct readiness {
    std::shared_ptr<const status_document> document; // null before the first good poll
    std::shared_ptr<const learned> recent;           // null: nothing learned
    time_point asked_at{};                           // when the poll that brought or renewed the document was sent
    time_point answered_at{};                        // when its response was read: its age counts from here
    std::chrono::milliseconds max_age{30'000};
    unlisted unlisted_means = unlisted::ready;
    std::uint64_t schema_fingerprint = 0; // of the schema whose places all this is by

    bool fresh(time_point now) const noexcept { return document && now - answered_at <= max_age; }

    // Learned and not yet overtaken by a poll that was sent after it: the learned word, while younger than max_age or
    // than the document's age allows.
    // Else the document's word while it is fresh; a resource or member it does not list is as `unlisted_means`.
    state look_up(std::size_t collection, std::size_t member, const uuid& id, time_point now) const noexcept;

    // Whether what was learned still counts: no later poll has had its say, and it is not too old. While the document
    // counts, which was asked for before, the lesson does: else what is older would have the last word.
    bool counts(const learned_entry& lesson, time_point now) const noexcept {
        return !(document && lesson.at < asked_at) && (now - lesson.at <= max_age || fresh(now));
    }

    // What is not ready by either's word, longest first, each resource once. Looks at all entries.
    std::vector<not_ready_entry> oldest_not_ready(std::size_t limit, time_point now) const;
    // Since when this one is; nothing: it is ready, or not known.
    std::optional<time_point> not_ready_since(std::size_t collection, const uuid& id, time_point now) const noexcept;
    // Since when the first of them is; looks at what was learned alone.
    std::optional<time_point> oldest_not_ready_since(time_point now) const noexcept;
};

} // namespace sidecar
