// A rule as it is configured: which requests it selects, and what is done with them. sidecar/rules.hpp decides by it.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace sidecar {

enum class unknown_augment : std::uint8_t { omit, ready, not_ready };
enum class unknown_gate : std::uint8_t { pass, reject };
enum class id_from : std::uint8_t { path, body };

struct augment_rule {
    std::string collection;
    std::vector<std::string> members;
    unknown_augment unknown = unknown_augment::omit;
};

struct gate_rule {
    std::string collection;
    std::string member;
    std::vector<std::string> require{"authorization"}; // fields without which the request is forwarded
    unknown_gate unknown = unknown_gate::pass;
};

struct learn_rule {
    std::string collection;
    std::vector<std::string> members; // held as not ready
    id_from id = id_from::body;       // {id} of the path, or member `id` of the response's JSON object
};

struct rule {
    std::string name; // in logs and metrics; unique
    std::string method;
    std::string path;  // a template below the prefix: /projects/{id}/uploads
    std::string query; // a parameter that must be present; empty: none
    std::variant<augment_rule, gate_rule, learn_rule> action;
};

// The rules of the DDS-872 proposal, which are built in.
std::vector<rule> dds_rules();

} // namespace sidecar
