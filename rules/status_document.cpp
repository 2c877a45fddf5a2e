// Reads the status document in one pass, whole or not at all; a failure says where and what was wrong.
#include "sidecar/readiness.hpp"

#include "rules/json_reader.hpp"

namespace sidecar {
namespace {

class status_reader {
public:
    status_reader(std::string_view body, const schema& needs) : body_(body), json_(body), schema_(needs) {}

    result<status_document> read();

private:
    bool read_collection(std::size_t index);
    bool read_entry(const schema::collection&, std::vector<resource_table::entry>&);
    bool read_id(resource_table::entry&);
    bool read_member(const schema::collection&, std::size_t member, member_states&);

    bool wrong(std::string what); // always false
    bool wrong_here(std::string what) { return wrong(where() + ": " + std::move(what)); }
    std::string where() const;
    std::string malformed() const;

    std::string_view body_;
    json_reader json_;
    const schema& schema_;
    status_document document_;
    std::vector<bool> collections_seen_;
    std::string wrong_; // the first thing, unless it is the JSON itself

    // The entry being read.
    std::size_t collection_ = 0, entry_ = 0;
    bool id_seen_ = false;
    std::uint32_t members_seen_ = 0; // a bit each
};

result<status_document> status_reader::read() {
    document_.collections.resize(schema_.collections.size());
    document_.bytes = body_.size();
    collections_seen_.resize(schema_.collections.size());
    bool read = false;
    if (json_.peek() == '{' || json_.peek() == '\0')
        read = json_.object([&](std::string_view written) {
            const auto index = schema_.collection_of(unescaped(written));
            return index ? read_collection(*index) : json_.skip();
        });
    else if (json_.skip())
        wrong("the top level is no object");
    if (read && json_.at_end()) return std::move(document_);
    const std::string what = wrong_.empty() ? malformed() : wrong_;
    return failure{"status document: " + what + ", " + std::to_string(body_.size()) + " bytes read"};
}

bool status_reader::read_collection(std::size_t index) {
    const auto& collection = schema_.collections[index];
    if (collections_seen_[index]) return wrong("'" + collection.name + "' is there twice");
    collections_seen_[index] = true;
    if (json_.peek() != '[') return json_.skip() && wrong("'" + collection.name + "' is no array");

    collection_ = index;
    entry_ = 0;
    std::vector<resource_table::entry> entries;
    const bool read = json_.array([&] {
        if (!read_entry(collection, entries)) return false;
        ++entry_;
        return true;
    });
    if (read) document_.collections[index] = resource_table(entries);
    return read;
}

bool status_reader::read_entry(const schema::collection& collection, std::vector<resource_table::entry>& entries) {
    if (json_.peek() != '{') return json_.skip() && wrong(where() + " is no object");
    resource_table::entry entry;
    id_seen_ = false;
    members_seen_ = 0;
    const bool read = json_.object([&](std::string_view name) {
        if (spells(name, "id")) return read_id(entry);
        for (std::size_t i = 0; i < collection.members.size(); ++i)
            if (spells(name, collection.members[i])) return read_member(collection, i, entry.members);
        return json_.skip();
    });
    if (!read) return false;
    if (!id_seen_) return wrong_here("'id' is missing");
    entries.push_back(entry);
    return true;
}

bool status_reader::read_id(resource_table::entry& entry) {
    if (id_seen_) return wrong_here("'id' is there twice");
    id_seen_ = true;
    if (json_.peek() != '"') return json_.skip() && wrong_here("'id' is no string");
    const auto written = json_.string();
    if (!written) return false;
    auto id = parse_uuid(*written);
    if (!id && written->find('\\') != written->npos) id = parse_uuid(unescaped(*written));
    if (!id) return wrong_here("'id' is no UUID");
    entry.id = *id;
    return true;
}

bool status_reader::read_member(const schema::collection& collection, std::size_t member, member_states& members) {
    const auto named = [&] { return "'" + collection.members[member] + "'"; };
    const std::uint32_t bit = 1U << member;
    if ((members_seen_ & bit) != 0) return wrong_here(named() + " is there twice");
    members_seen_ |= bit;
    const char first = json_.peek();
    if (first != 't' && first != 'f') return json_.skip() && wrong_here(named() + " is no boolean");
    const auto is_ready = json_.boolean();
    if (!is_ready) return false;
    members.set(member, *is_ready ? state::ready : state::not_ready);
    return true;
}

bool status_reader::wrong(std::string what) {
    wrong_ = std::move(what);
    return false;
}

std::string status_reader::where() const {
    return schema_.collections[collection_].name + "[" + std::to_string(entry_) + "]";
}

std::string status_reader::malformed() const {
    if (body_.empty()) return "empty";
    if (!json_.is_utf8()) return "not UTF-8";
    if (json_.position() == body_.size()) return "malformed JSON, ends too soon";
    return "malformed JSON at byte " + std::to_string(json_.position());
}

} // namespace

result<status_document> read_status(const json_text& body, const schema& needs) {
    return status_reader(body.text, needs).read();
}

} // namespace sidecar
