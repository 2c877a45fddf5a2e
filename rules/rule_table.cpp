#include "sidecar/rules.hpp"

#include "rules/hidden_path.hpp"
#include "rules/path_template.hpp"
#include "rules/target.hpp"
#include "sidecar/token.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>

namespace sidecar {

namespace {

// The rules' actions with their names looked up in the schema.
struct augmenting {
    struct member {
        std::size_t index;
        std::string name; // with quotes and colon, as it stands in the response
    };
    std::size_t collection;
    std::vector<member> members;
    unknown_augment unknown;
};

struct gating {
    std::size_t collection;
    std::size_t member;
    std::vector<std::string> require;
    unknown_gate unknown;
};

struct learning {
    std::size_t collection;
    member_states members;
    id_from id;
};

using prepared_action = std::variant<augmenting, gating, learning>;

struct selection {
    const request_view& request;
    std::size_t rule;
    std::optional<uuid> id; // from the path
    const readiness& known;
    time_point now;
};

struct prepared_rule {
    std::string method;
    path_template path;
    std::string query;
    prepared_action action;

    // The backend takes a HEAD for the GET's route.
    bool takes(std::string_view sent_method) const noexcept {
        if (sent_method == method) return true;
        return sent_method == "HEAD" && method == "GET" && !std::holds_alternative<learning>(action);
    }
};

// The API's prefix is compared as sent: Grape takes an encoded one for another version.
class prefix_parts {
public:
    explicit prefix_parts(std::string_view prefix) {
        path_parts parts(prefix);
        for (auto part = parts.next(); !part.empty(); part = parts.next()) words_.emplace_back(part);
    }

    // What follows the prefix.
    std::optional<path_parts> below(std::string_view path) const noexcept {
        if (path.empty() || path.front() != '/') return std::nullopt;
        path_parts parts(path);
        for (const auto& word : words_)
            if (parts.next() != word) return std::nullopt;
        return parts;
    }

private:
    std::vector<std::string> words_;
};

// Puma takes spaces from the front of a value, and leaves tabs.
bool begins_with_tab(const field_line& field) noexcept {
    if (field.line.empty()) return false;
    const auto* const begin = field.name.data() + field.name.size();
    return std::find(begin, field.value.data(), '\t') != field.value.data();
}

// Rack::MethodOverride, which Rails puts in front: the methods it knows, in any case; others, and more than one, have
// no effect, and the request is still a POST. Puma names the field to Rack as CGI does. (It also looks for `_method` in
// a form, which is not read here.)
bool is_another_method(const request_view& request) noexcept {
    constexpr std::array<std::string_view, 8> others{"GET",     "HEAD",  "PUT",  "DELETE",
                                                     "OPTIONS", "PATCH", "LINK", "UNLINK"};
    if (request.method != "POST") return false;
    const field_line* only = nullptr;
    for (const auto& field : request.fields) {
        if (!is_named_like(field.name, "x-http-method-override") || !request.reaches_backend(field)) continue;
        if (only) return false;
        only = &field;
    }
    return only && !begins_with_tab(*only) &&
           std::any_of(others.begin(), others.end(), [&](auto one) { return iequals(one, only->value); });
}

// Fills the schema as the rules name collections and members.
class preparation {
public:
    explicit preparation(schema& needs) : needs_(needs) {}

    prepared_action operator()(const augment_rule& rule) {
        augmenting action{collection(rule.collection), {}, rule.unknown};
        for (const auto& name : rule.members)
            action.members.push_back({member(action.collection, name), '"' + name + "\":"});
        return action;
    }

    prepared_action operator()(const gate_rule& rule) {
        const auto of = collection(rule.collection);
        return gating{of, member(of, rule.member), rule.require, rule.unknown};
    }

    prepared_action operator()(const learn_rule& rule) {
        learning action{collection(rule.collection), {}, rule.id};
        for (const auto& name : rule.members) action.members.set(member(action.collection, name), state::not_ready);
        return action;
    }

private:
    std::size_t collection(const std::string& name) {
        if (const auto known = needs_.collection_of(name)) return *known;
        needs_.collections.push_back({name, {}});
        return needs_.collections.size() - 1;
    }

    std::size_t member(std::size_t of, const std::string& name) {
        auto& members = needs_.collections[of].members;
        const auto found = std::find(members.begin(), members.end(), name);
        if (found != members.end()) return static_cast<std::size_t>(found - members.begin());
        if (members.size() == schema::members_max)
            throw std::invalid_argument("rules name more than " + std::to_string(schema::members_max) +
                                        " members of '" + needs_.collections[of].name + "'");
        members.push_back(name);
        return members.size() - 1;
    }

    schema& needs_;
};

decision hidden() {
    decision refused;
    refused.action =
        local_reply{404, "Not Found", "not_provided", "Not Found", "you may have mistyped the path", false};
    refused.reason = reason::status_path;
    return refused;
}

// What becomes of a request that a rule has selected.

decision decided(sidecar::action what, reason why, const selection& selected) {
    return {std::move(what), why, selected.rule, selected.id};
}

local_reply not_consistent() {
    return {404,
            "Not Found",
            "resource_not_consistent",
            "resource changes are still being processed by system",
            "this is a temporary state that will eventually be resolved by the system; please retry request",
            true};
}

// An empty value counts as none: the portal, logged out, sends an empty Authorization, and the backend's own 401 is
// the response to that.
bool has_field(const request_view& request, std::string_view name) {
    return std::any_of(request.fields.begin(), request.fields.end(), [&](const auto& field) {
        return !field.value.empty() && iequals(field.name, name) && request.reaches_backend(field);
    });
}

decision decide_by(const augmenting& rule, const selection& selected) {
    if (!selected.id) return decided(forward{}, reason::id_is_no_uuid, selected);
    augment what;
    auto why = reason::augmented;
    what.consistency.reserve(96);
    for (const auto& member : rule.members) {
        auto said = selected.known.look_up(rule.collection, member.index, *selected.id, selected.now);
        if (said == state::unknown) {
            why = reason::unknown;
            if (rule.unknown == unknown_augment::omit) return decided(forward{}, why, selected);
            said = rule.unknown == unknown_augment::ready ? state::ready : state::not_ready;
        }
        what.consistency += what.consistency.empty() ? '{' : ',';
        what.consistency += member.name;
        what.consistency += said == state::ready ? "true" : "false";
    }
    what.consistency += what.consistency.empty() ? "{}" : "}";
    what.head = selected.request.method == "HEAD";
    return decided(std::move(what), why, selected);
}

decision decide_by(const gating& rule, const selection& selected) {
    if (!selected.id) return decided(forward{}, reason::id_is_no_uuid, selected);
    for (const auto& name : rule.require)
        if (!has_field(selected.request, name)) return decided(forward{}, reason::field_missing, selected);
    switch (selected.known.look_up(rule.collection, rule.member, *selected.id, selected.now)) {
    case state::ready:
        return decided(forward{}, reason::ready, selected);
    case state::not_ready:
        return decided(not_consistent(), reason::not_ready, selected);
    case state::unknown:
        break;
    }
    if (rule.unknown == unknown_gate::pass) return decided(forward{}, reason::unknown, selected);
    return decided(not_consistent(), reason::unknown, selected);
}

decision decide_by(const learning& rule, const selection& selected) {
    if (rule.id == id_from::body) return decided(forward{{{selected.rule, {}}}}, reason::learning, selected);
    if (!selected.id) return decided(forward{}, reason::id_is_no_uuid, selected);
    return decided(forward{{{selected.rule, selected.id}}}, reason::learning, selected);
}

} // namespace

struct rule_table::compiled {
    prefix_parts prefix;
    schema needs;
    std::vector<prepared_rule> rules;
    std::optional<hidden_path> status;

    compiled(const rules_config& config, std::string_view status_path) : prefix(config.prefix) {
        for (const auto& rule : config.rules)
            rules.push_back(
                {rule.method, path_template(rule.path), rule.query, std::visit(preparation(needs), rule.action)});
        if (!status_path.empty()) status.emplace(status_path);
    }
};

rule_table::rule_table(const rules_config& config, std::string_view status_path)
    : compiled_(std::make_unique<const compiled>(config, status_path)) {}
rule_table::~rule_table() = default;
rule_table::rule_table(rule_table&&) noexcept = default;
rule_table& rule_table::operator=(rule_table&&) noexcept = default;

// The first rule that selects the request decides.
decision rule_table::decide(const request_view& request, const readiness& known, time_point now) const {
    const target wanted(request.target);
    if (compiled_->status && compiled_->status->covers(wanted.path())) return hidden();
    for (std::size_t i = 0; i < compiled_->rules.size(); ++i) {
        const auto& rule = compiled_->rules[i];
        if (!rule.takes(request.method)) continue;
        if (!rule.query.empty() && !wanted.has_flag(rule.query)) continue;
        const auto parts = compiled_->prefix.below(wanted.path());
        if (!parts) break;
        const auto match = rule.path.match_against(*parts);
        if (!match) continue;
        const selection selected{request, i, match->id, known, now};
        if (is_another_method(request)) return {forward{}, reason::method_override, i, match->id};
        return std::visit([&](const auto& selecting) { return decide_by(selecting, selected); }, rule.action);
    }
    return {};
}

const schema& rule_table::needs() const noexcept { return compiled_->needs; }

learned_entry rule_table::lesson(std::size_t index, const uuid& id, time_point now) const {
    const auto& rule = std::get<learning>(compiled_->rules.at(index).action);
    return {rule.collection, id, rule.members, now};
}

} // namespace sidecar
