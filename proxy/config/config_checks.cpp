#include "proxy/config/config_checks.hpp"

#include "sidecar/message.hpp"
#include "sidecar/metrics.hpp"
#include "sidecar/readiness.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace sidecar {
namespace {

// Runs a check if none of the keys that it compares is wrong by itself; complains if it finds the fault.
template <class Fault>
void compare(findings& all, std::initializer_list<std::string> paths, bool is_wrong, const Fault& message) {
    if (!is_wrong) return;
    if (!std::all_of(paths.begin(), paths.end(), [&all](const std::string& path) { return all.sound(path); })) return;
    all.complain(paths, message());
}

bool is_any(const std::string& host) { return host == "0.0.0.0" || host == "::"; }
bool is_loopback(const std::string& host) { return host.starts_with("127.") || host == "::1" || host == "localhost"; }

// Whether a connection to `target` would arrive at `listener`, as far as the spelling tells.
bool reaches(const endpoint& target, const endpoint& listener) {
    if (!target.path.empty() || !listener.path.empty()) return target.path == listener.path;
    if (target.port != listener.port || target.port == 0) return false;
    return target.host == listener.host || is_any(target.host) || (is_any(listener.host) && is_loopback(target.host)) ||
           (is_loopback(target.host) && is_loopback(listener.host));
}

void check_addresses(const config& c, findings& all) {
    const auto& listen = c.listen.address;
    compare(all, {"upstream.address", "listen.address"}, reaches(c.upstream.address, listen), [&] {
        return "upstream.address: " + print_endpoint(c.upstream.address) + " is where the sidecar itself listens";
    });
    if (!c.admin.address) return;
    const auto& admin = *c.admin.address;
    compare(all, {"admin.address", "listen.address"}, reaches(admin, listen) || reaches(listen, admin), [&] {
        return "admin.address: " + print_endpoint(admin) + " is taken by listen.address " + print_endpoint(listen);
    });
}

void check_limits(const config& c, findings& all) {
    const auto& down = c.downstream;
    compare(
        all, {"downstream.max_target", "downstream.max_header"}, down.target_bytes_max >= down.header_bytes_max, [&] {
            return "downstream.max_target: " + print_size(down.target_bytes_max) +
                   " must be less than downstream.max_header, which includes it: " + print_size(down.header_bytes_max);
        });
}

void check_held(const rules_config& c, findings& all) {
    compare(all, {"augment.max_held", "augment.max_body"}, c.augment_held_max < c.augment_body_max, [&] {
        return "augment.max_held: " + print_size(c.augment_held_max) +
               " must not be less than augment.max_body, which one response may take: " +
               print_size(c.augment_body_max);
    });
}

void check_status(const status_config& c, findings& all) {
    compare(all, {"status.max_age", "status.wait", "status.timeout"}, c.wait + c.timeout >= c.max_age, [&] {
        return "status.max_age: " + print_duration(c.max_age) +
               " must be more than status.wait + status.timeout, or what is known expires while a poll is under way: " +
               print_duration(c.wait) + " + " + print_duration(c.timeout);
    });
    compare(all, {"status.max_age", "status.interval"}, c.interval >= c.max_age, [&] {
        return "status.max_age: " + print_duration(c.max_age) + " must be more than status.interval, " +
               print_duration(c.interval);
    });
    compare(all, {"status.max_backoff", "status.interval"}, c.backoff_max < c.interval, [&] {
        return "status.max_backoff: " + print_duration(c.backoff_max) + " must not be less than status.interval, " +
               print_duration(c.interval);
    });
    compare(all, {"status.wait"}, c.wait.count() % 1000 != 0,
            [&] { return "status.wait: must be whole seconds (RFC 7240), not " + print_duration(c.wait); });
    for (std::size_t i = 0; i < c.headers.size(); ++i) {
        const auto& header = c.headers[i];
        const auto path = "status.headers[" + std::to_string(i) + "]";
        compare(all, {path}, header.value.empty() == header.file.empty(),
                [&] { return path + ": expected exactly one of value, file"; });
        const auto same = [&header](const request_header& other) { return iequals(other.name, header.name); };
        const bool repeated = std::any_of(c.headers.begin(), c.headers.begin() + static_cast<std::ptrdiff_t>(i), same);
        compare(all, {path + ".name"}, repeated, [&] { return path + ".name: '" + header.name + "' is there twice"; });
    }
}

void check_cors(const own_answers_config& c, findings& all) {
    const auto& origins = c.cors_allow_origins;
    const bool any = std::find(origins.begin(), origins.end(), "*") != origins.end();
    compare(all, {"own_answers.cors.allow_origins"}, any && origins.size() > 1,
            [] { return "own_answers.cors.allow_origins: '*' allows the others too"; });
}

// What a rule's action asks of its method and path.
class action_check {
public:
    action_check(const rule& checked, std::string path, findings& all)
        : rule_(checked),
          path_(std::move(path)),
          all_(all) {}

    void operator()(const augment_rule&) const {
        compare(all_, {path_ + ".method", path_}, rule_.method != "GET",
                [&] { return path_ + ".method: augment is for GET, not " + shown(rule_.method); });
        needs_id("augment");
    }
    void operator()(const gate_rule&) const {
        compare(all_, {path_ + ".method", path_}, rule_.method == "OPTIONS",
                [&] { return path_ + ".method: OPTIONS is never gated: browsers ask by it whether they may ask"; });
        needs_id("gate");
    }
    void operator()(const learn_rule& learn) const {
        if (learn.id == id_from::path) needs_id("learn with id: path");
    }

private:
    void needs_id(std::string_view what) const {
        compare(all_, {path_ + ".path", path_}, rule_.path.find("{id}") == std::string::npos,
                [&] { return path_ + ".path: " + std::string(what) + " needs {id} in it"; });
    }

    const rule& rule_;
    std::string path_;
    findings& all_;
};

// The collection and the members that a rule names.
std::pair<std::string, std::vector<std::string>> needs_of(const rule& r) {
    if (const auto* gate = std::get_if<gate_rule>(&r.action)) return {gate->collection, {gate->member}};
    if (const auto* learn = std::get_if<learn_rule>(&r.action)) return {learn->collection, learn->members};
    const auto& augment = std::get<augment_rule>(r.action);
    return {augment.collection, augment.members};
}

bool is_builtin(const std::string& name) {
    const auto builtin = dds_rules();
    return std::any_of(builtin.begin(), builtin.end(), [&name](const rule& one) { return one.name == name; });
}

// By itself, and beside those that stand before it in the file.
void check_rule(const std::vector<rule>& rules, std::size_t index, findings& all) {
    const auto& one = rules[index];
    const auto path = "rules[" + std::to_string(index) + "]";
    std::visit(action_check(one, path, all), one.action);
    for (std::size_t i = 0; i < index; ++i) {
        const auto& before = rules[i];
        const auto before_path = "rules[" + std::to_string(i) + "]";
        compare(all, {path + ".name", before_path}, one.name == before.name,
                [&] { return path + ".name: '" + one.name + "' is the name of another rule"; });
        const bool same = one.method == before.method && one.path == before.path && one.query == before.query;
        // A built-in rule that is written out, as --print-config does, is where it would be without that: hidden.
        compare(all, {path, before_path}, same && !is_builtin(one.name),
                [&] { return path + ": selects the same requests as '" + before.name + "'"; });
    }
}

void check_rule_count(const config& c, findings& all) {
    const auto count = c.rules.rules.size();
    compare(all, {"rules"}, count > worker_metrics::rules_max, [&] {
        auto message = "rules: at most " + std::to_string(worker_metrics::rules_max);
        return message.append(" with the built-in ones, not ").append(std::to_string(count));
    });
}

void check_rules(const std::vector<rule>& rules, std::size_t of_the_file, findings& all) {
    std::map<std::string, std::set<std::string>> members;
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& one = rules[i];
        const auto path = i < of_the_file ? "rules[" + std::to_string(i) + "]" : "rules";
        if (!all.sound(path)) continue;
        if (i < of_the_file) check_rule(rules, i, all);
        const auto [collection, named] = needs_of(one);
        auto& known = members[collection];
        const bool had_room = known.size() <= schema::members_max;
        known.insert(named.begin(), named.end());
        compare(all, {path}, had_room && known.size() > schema::members_max, [&, &name = collection] {
            auto message = path + ": the rules name more than " + std::to_string(schema::members_max);
            return message.append(" members of '").append(name).append("'");
        });
    }
}

} // namespace

void check_together(const config& c, std::size_t rules_of_the_file, findings& all) {
    check_addresses(c, all);
    check_limits(c, all);
    check_held(c.rules, all);
    check_status(c.status, all);
    check_cors(c.own_answers, all);
    check_rule_count(c, all);
    check_rules(c.rules.rules, rules_of_the_file, all);
}

} // namespace sidecar
