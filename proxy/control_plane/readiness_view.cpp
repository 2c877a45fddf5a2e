#include "proxy/control_plane/readiness_view.hpp"

#include "proxy/control_plane/wording.hpp"
#include "proxy/json/json_writer.hpp"

#include <algorithm>

namespace sidecar {
namespace {

const resource_table* table_of(const readiness& known, std::size_t collection) {
    if (!known.document || collection >= known.document->collections.size()) return nullptr;
    return &known.document->collections[collection];
}

resource_view view(const standing& now, std::size_t collection, const uuid& id) {
    const auto& named = now.current->rules.needs().collections[collection];
    const auto* table = table_of(*now.known, collection);
    resource_view seen;
    seen.collection = named.name;
    seen.id = id;
    seen.listed = table && table->find(id);
    const auto* lesson = now.known->recent ? now.known->recent->find(collection, id) : nullptr;
    seen.learned = lesson && now.known->counts(*lesson, now.now);
    for (std::size_t member = 0; member < named.members.size(); ++member)
        seen.members.emplace_back(named.members[member], now.known->look_up(collection, member, id, now.now));
    if (const auto since = now.known->not_ready_since(collection, id, now.now))
        seen.not_ready_seconds = std::max(0.0, seconds_between(*since, now.now));
    return seen;
}

void write(json_writer& out, const resource_view& seen) {
    out.open('{').member("collection", seen.collection).member("id", to_string(seen.id));
    for (const auto& [name, value] : seen.members) out.member(name, to_string(value));
    out.member("listed", seen.listed).member("learned", seen.learned);
    if (seen.not_ready_seconds) out.member("not_ready_seconds", *seen.not_ready_seconds);
    out.close('}');
}

void write(json_writer& out, const poll_report::collection& counted) {
    out.open('{').member("name", counted.name).member("listed", counted.listed);
    out.name("not_ready").open('{');
    for (const auto& [member, count] : counted.not_ready) out.member(member, count);
    out.close('}').member("memory_bytes", counted.memory_bytes).close('}');
}

} // namespace

std::string_view to_string(state value) noexcept {
    switch (value) {
    case state::not_ready:
        return "not_ready";
    case state::ready:
        return "ready";
    case state::unknown:
        break;
    }
    return "unknown";
}

std::size_t lessons_that_count(const standing& now) {
    if (!now.known->recent) return 0;
    const auto& all = now.known->recent->entries;
    return static_cast<std::size_t>(std::count_if(
        all.begin(), all.end(), [&now](const learned_entry& each) { return now.known->counts(each, now.now); }));
}

std::vector<resource_view> look_up_everywhere(const standing& now, const uuid& id) {
    std::vector<resource_view> found;
    for (std::size_t i = 0; i < now.current->rules.needs().collections.size(); ++i) found.push_back(view(now, i, id));
    return found;
}

std::vector<resource_view> not_ready_resources(const standing& now, std::size_t limit) {
    std::vector<resource_view> found;
    const auto collections = now.current->rules.needs().collections.size();
    for (const auto& each : now.known->oldest_not_ready(limit, now.now)) {
        if (each.collection >= collections) continue; // of the configuration before
        auto seen = view(now, each.collection, each.id);
        seen.learned = each.learned;
        found.push_back(std::move(seen));
    }
    return found;
}

std::string readiness_json(const standing& now, std::optional<uuid> id, std::size_t limit) {
    const auto& known = *now.known;
    json_writer out;
    out.open('{').member("fresh", known.fresh(now.now)).name("age_seconds");
    if (known.document)
        out.value(std::chrono::duration<double>(now.now - known.answered_at).count());
    else
        out.null();
    out.member("max_age_seconds", std::chrono::duration<double>(known.max_age).count());
    out.member("document_bytes", now.poll.document_bytes);
    out.member("learned", lessons_that_count(now));
    out.name("collections").open('[');
    for (const auto& each : now.poll.collections) write(out, each);
    out.close(']').name("resources").open('[');
    for (const auto& each : id ? look_up_everywhere(now, *id) : not_ready_resources(now, limit)) write(out, each);
    out.close(']').close('}');
    return out.text() + "\n";
}

} // namespace sidecar
