#include "rules/fate.hpp"

#include <algorithm>

namespace sidecar {

namespace {

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
// the answer to that.
bool has_field(const request_view& request, std::string_view name) {
    return std::any_of(request.fields.begin(), request.fields.end(), [&](const auto& field) {
        return !field.value.empty() && iequals(field.name, name) && request.reaches_backend(field);
    });
}

} // namespace

decision fate_by(const augmenting& rule, const selection& selected) {
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

decision fate_by(const gating& rule, const selection& selected) {
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

decision fate_by(const learning& rule, const selection& selected) {
    if (rule.id == id_from::body) return decided(forward{{{selected.rule, {}}}}, reason::learning, selected);
    if (!selected.id) return decided(forward{}, reason::id_is_no_uuid, selected);
    return decided(forward{{{selected.rule, selected.id}}}, reason::learning, selected);
}

} // namespace sidecar
