// Any bytes as a status document. Whatever simdjson's DOM, read the plain way, makes of them must come out here too.
#include "sidecar/readiness.hpp"

#include "tests/rules/json_grammar.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

namespace {

using namespace sidecar;

const schema dds{{{"projects", {"is_upload_ready", "is_download_ready"}}, {"files", {"is_download_ready"}}}};

void require(bool holds, const char* what) {
    if (holds) return;
    std::fprintf(stderr, "does not hold: %s\n", what);
    std::abort();
}

using plain_collection = std::map<std::string, resource_table::entry>; // by the id's text

// nullopt: refused.
std::optional<plain_collection> read_plainly(simdjson::dom::element value, const schema::collection& collection) {
    if (!value.is_array()) return std::nullopt;
    plain_collection entries;
    for (const auto element : value.get_array()) {
        if (!element.is_object()) return std::nullopt;
        std::set<std::string_view> seen;
        std::optional<uuid> id;
        member_states members;
        for (const auto [name, member] : element.get_object()) {
            const auto at = std::find(collection.members.begin(), collection.members.end(), name);
            if (name != "id" && at == collection.members.end()) continue;
            if (!seen.insert(name).second) return std::nullopt;
            if (name == "id") {
                if (!member.is_string()) return std::nullopt;
                id = parse_uuid(member.get_string().value_unsafe());
                if (!id) return std::nullopt;
            } else {
                if (!member.is_bool()) return std::nullopt;
                members.set(static_cast<std::size_t>(at - collection.members.begin()),
                            member.get_bool().value_unsafe() ? state::ready : state::not_ready);
            }
        }
        if (!id) return std::nullopt;
        entries[to_string(*id)] = {*id, members};
    }
    return entries;
}

std::optional<std::vector<plain_collection>> read_plainly(simdjson::dom::element document) {
    if (!document.is_object()) return std::nullopt;
    std::vector<plain_collection> collections(dds.collections.size());
    std::set<std::string_view> seen;
    for (const auto [name, value] : document.get_object()) {
        const auto index = dds.collection_of(name);
        if (!index) continue;
        auto entries = read_plainly(value, dds.collections[*index]);
        if (!entries || !seen.insert(name).second) return std::nullopt;
        collections[*index] = std::move(*entries);
    }
    return collections;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    // The first byte fills what may be read behind the text.
    std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    bytes.append(json_padding, static_cast<char>(data[0]));
    const auto body = std::string_view(bytes).substr(0, size - 1);
    const auto read = read_status({body, json_padding}, dds);
    if (!read) require(read.error().message.starts_with("status document: "), "a failure says what it is about");

    const auto facts = testing::json_grammar::read(body);
    if (!facts) require(!read, "what is no JSON is refused");
    if (!facts || !facts->within_simdjson()) return 0;
    const simdjson::padded_string text(body.substr(body.starts_with("\xEF\xBB\xBF") ? 3 : 0));
    static simdjson::dom::parser parser;
    simdjson::dom::element root;
    require(parser.parse(text).get(root) == simdjson::SUCCESS, "simdjson reads what is within its limits");
    const auto expected = read_plainly(root);
    require(read.has_value() == expected.has_value(), "what is taken is what can be read");
    if (!read) return 0;
    for (std::size_t i = 0; i < expected->size(); ++i) {
        require(read->collections[i].size() == (*expected)[i].size(), "each entry is there once");
        for (const auto& [id, entry] : (*expected)[i]) {
            const auto* found = read->collections[i].find(entry.id);
            require(found && *found == entry.members, "an entry says what was written");
        }
    }
    return 0;
}
