// Reads the status document in one walk, whole or not at all; a failure says where and what was wrong.
#include "sidecar/readiness.hpp"

#include "rules/json.hpp"

#include <algorithm>
#include <memory>

namespace sidecar {
namespace {

namespace ondemand = simdjson::ondemand;
using simdjson::error_code;
using simdjson::SUCCESS;

using name_list = std::vector<std::string_view>; // of what is read of an entry, `id` first
constexpr std::size_t id_place = 0;

// Which of the names this one is, in whatever spelling; none: behind the last. `place` comes in as a guess, for entries
// are usually alike.
error_code find_place(ondemand::field& field, const name_list& names, std::size_t& place) {
    const auto written = field.key();
    if (place < names.size() && written.unsafe_is_equal(names[place])) return SUCCESS;
    std::string_view plain;
    if (const auto error = field.unescaped_key().get(plain)) return error;
    place = static_cast<std::size_t>(std::find(names.begin(), names.end(), plain) - names.begin());
    return SUCCESS;
}

std::string_view without_blanks_behind(std::string_view token) {
    return token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
}

// On-Demand looks at what it is asked for alone: each value that no rule asks for is walked through here all the same.
using entry_list = std::vector<resource_table::entry>;
constexpr std::size_t entry_bytes_min = 46; // {"id":"36 characters"},

// The memory of a walk.
struct workspace {
    ondemand::parser parser;
    entry_list entries;
};

class status_walk {
public:
    status_walk(const json_text& body, const schema& needs, workspace& in, std::pmr::memory_resource& tables)
        : json_(body),
          schema_(needs),
          parser_(in.parser),
          tables_(tables),
          entries_(in.entries) {}

    result<status_document> read();

private:
    error_code read_document();
    error_code read_collection(std::size_t index, ondemand::value);
    error_code read_entry(const name_list&, ondemand::value);
    error_code read_id(ondemand::value, uuid&);
    static error_code skip(ondemand::value, std::size_t depth);

    error_code wrong(std::string what);
    error_code wrong_here(std::string_view name, const char* what) {
        return wrong(where() + ": '" + std::string(name) + "' " + what);
    }
    std::string where() const;
    std::string malformed(error_code);

    padded_json json_;
    const schema& schema_;
    ondemand::parser& parser_;
    std::pmr::memory_resource& tables_;
    ondemand::document reading_;
    bool walking_ = false; // it has begun
    status_document document_;
    entry_list& entries_; // of the collection being read
    std::string wrong_;   // the first thing, unless it is the JSON itself

    std::size_t collection_ = 0, entry_ = 0; // being read
};

result<status_document> status_walk::read() {
    document_.bytes = json_.offset() + json_.view().size();
    while (document_.collections.size() < schema_.collections.size()) document_.collections.emplace_back(tables_);
    const auto error = read_document();
    if (error == SUCCESS) return std::move(document_);
    const auto what = wrong_.empty() ? malformed(error) : wrong_;
    return failure{"status document: " + what + ", " + std::to_string(document_.bytes) + " bytes read"};
}

error_code status_walk::read_document() {
    if (json_.has_two_marks()) return simdjson::TAPE_ERROR;
    if (const auto error = parser_.iterate(json_.view()).get(reading_)) return error;
    walking_ = true;
    ondemand::object top;
    if (const auto error = reading_.get_object().get(top))
        return error == simdjson::INCORRECT_TYPE ? wrong("the top level is not an object") : error;
    std::vector<bool> seen(schema_.collections.size());
    for (auto member : top) {
        ondemand::field field;
        std::string_view name;
        if (const auto error = std::move(member).get(field)) return error;
        if (const auto error = field.unescaped_key().get(name)) return error;
        const auto index = schema_.collection_of(name);
        if (index && seen[*index]) return wrong("'" + schema_.collections[*index].name + "' is there twice");
        if (index) seen[*index] = true;
        if (const auto error = index ? read_collection(*index, field.value()) : skip(field.value(), 2)) return error;
    }
    const char* behind = nullptr;
    return reading_.current_location().get(behind) == SUCCESS ? simdjson::TRAILING_CONTENT : SUCCESS;
}

error_code status_walk::read_collection(std::size_t index, ondemand::value value) {
    const auto& collection = schema_.collections[index];
    ondemand::array listed;
    if (const auto error = value.get_array().get(listed))
        return error == simdjson::INCORRECT_TYPE ? wrong("'" + collection.name + "' is not an array") : error;
    collection_ = index;
    entry_ = 0;
    name_list names{"id"};
    names.insert(names.end(), collection.members.begin(), collection.members.end());
    entries_.clear();
    entries_.reserve(json_.view().size() / entry_bytes_min); // never more; what is not used costs no memory
    for (auto element : listed) {
        ondemand::value entry;
        // NOLINTNEXTLINE(performance-move-const-arg): get() is for rvalues
        if (const auto error = std::move(element).get(entry)) return error;
        if (const auto error = read_entry(names, entry)) return error;
        ++entry_;
    }
    document_.collections[index] = resource_table(entries_, tables_);
    return SUCCESS;
}

error_code status_walk::read_entry(const name_list& names, ondemand::value value) {
    ondemand::object object;
    if (const auto error = value.get_object().get(object))
        return error == simdjson::INCORRECT_TYPE ? wrong(where() + " is not an object") : error;
    resource_table::entry entry;
    std::uint32_t seen = 0; // a bit for each name, by its place
    std::size_t place = 0;
    for (auto member : object) {
        ondemand::field field;
        if (const auto error = std::move(member).get(field)) return error;
        if (const auto error = find_place(field, names, place)) return error;
        if (place == names.size()) {
            if (const auto error = skip(field.value(), 4)) return error;
            continue;
        }
        if ((seen & 1U << place) != 0) return wrong_here(names[place], "is there twice");
        seen |= 1U << place;
        bool is_ready = false;
        if (place == id_place) {
            if (const auto error = read_id(field.value(), entry.id)) return error;
        } else if (field.value().get_bool().get(is_ready) != SUCCESS) {
            return wrong_here(names[place], "is not a boolean");
        } else {
            entry.members.set(place - 1, is_ready ? state::ready : state::not_ready);
        }
        ++place;
    }
    if ((seen & 1U << id_place) == 0) return wrong_here("id", "is missing");
    entries_.push_back(entry);
    return SUCCESS;
}

error_code status_walk::read_id(ondemand::value value, uuid& id) {
    // Within the text, or the padding: a string that is shorter has a quote among the 36 bytes, which no digit is.
    const char* const first = value.raw_json_token().data();
    if (*first != '"') return wrong_here("id", "is not a string");
    auto read = parse_uuid({first + 1, 36});
    if (!read || first[36 + 1] != '"') { // perhaps with escapes
        std::string_view text;
        if (const auto error = value.get_string().get(text)) return error;
        read = parse_uuid(text);
    }
    if (!read) return wrong_here("id", "is not a UUID");
    id = *read;
    return SUCCESS;
}

// Each value within is asked for, so that none is passed over that is not JSON.
error_code status_walk::skip(ondemand::value value, std::size_t depth) {
    ondemand::json_type type{};
    if (depth > json_depth_max) return simdjson::DEPTH_ERROR;
    if (const auto error = value.type().get(type)) return error;
    if (type == ondemand::json_type::object) {
        ondemand::object object;
        if (const auto error = value.get_object().get(object)) return error;
        for (auto member : object) {
            ondemand::field field;
            if (const auto error = std::move(member).get(field)) return error;
            if (const auto error = field.unescaped_key().error()) return error;
            if (const auto error = skip(field.value(), depth + 1)) return error;
        }
        return SUCCESS;
    }
    if (type == ondemand::json_type::array) {
        ondemand::array array;
        if (const auto error = value.get_array().get(array)) return error;
        for (auto element : array) {
            ondemand::value inner;
            // NOLINTNEXTLINE(performance-move-const-arg): get() is for rvalues
            if (const auto error = std::move(element).get(inner)) return error;
            if (const auto error = skip(inner, depth + 1)) return error;
        }
        return SUCCESS;
    }
    if (type == ondemand::json_type::string) return value.get_string().error();
    const auto token = without_blanks_behind(value.raw_json_token());
    return token == "true" || token == "false" || token == "null" || is_json_number(token) ? SUCCESS
                                                                                           : simdjson::TAPE_ERROR;
}

error_code status_walk::wrong(std::string what) {
    wrong_ = std::move(what);
    return simdjson::INCORRECT_TYPE;
}

std::string status_walk::where() const {
    return schema_.collections[collection_].name + "[" + std::to_string(entry_) + "]";
}

std::string status_walk::malformed(error_code error) {
    const auto text = json_.view();
    if (error == simdjson::EMPTY) return "empty";
    if (error == simdjson::UTF8_ERROR) return "not UTF-8";
    if (error == simdjson::DEPTH_ERROR) return "nested too deep";
    if (error == simdjson::MEMALLOC) return "no memory to read it";
    const char* at = nullptr;
    if (!walking_ || reading_.current_location().get(at) != SUCCESS) return "malformed JSON";
    const auto place = static_cast<std::size_t>(at - text.data());
    if (place >= text.size() || error == simdjson::INCOMPLETE_ARRAY_OR_OBJECT) return "malformed JSON, ends too soon";
    return "malformed JSON at byte " + std::to_string(json_.offset() + place);
}

} // namespace

result<status_document> read_status(const json_text& body, const schema& needs) {
    return status_reader().read(body, needs);
}

struct status_reader::kept : workspace {};

status_reader::status_reader(std::pmr::memory_resource& tables) : tables_(tables), kept_(std::make_unique<kept>()) {}

status_reader::~status_reader() = default;

result<status_document> status_reader::read(const json_text& body, const schema& needs) {
    if (kept_->parser.capacity() / 4 > body.text.size()) kept_ = std::make_unique<kept>();
    return status_walk(body, needs, *kept_, tables_).read();
}

} // namespace sidecar
