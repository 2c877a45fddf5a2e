// What one proxy makes of the cases, group by group.
#pragma once

#include "tests/corpora/corpus.hpp"
#include "tests/harness/listener.hpp"
#include "tests/harness/play.hpp"
#include "tests/peers/cases.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace peers {

struct tally {
    std::size_t cases = 0;
    std::size_t right = 0;  // passed unchanged, or refused
    std::size_t nearly = 0; // passed with the same meaning, or made clean
    std::vector<std::string> wrong;
};

class comparison {
public:
    comparison(std::string name, std::uint16_t port, harness::listener& backend)
        : name_(std::move(name)),
          port_(port),
          backend_(backend) {}

    const std::string& name() const { return name_; }
    const std::map<std::string, tally>& groups() const { return groups_; }

    void transparent(const std::string& group, const std::vector<cases::transparent>&);
    // `may_reach`: one with chunks may be on its way before they go wrong, if never whole.
    void hostile(const std::string& group, const std::vector<cases::hostile_request>&, bool may_reach = false);
    void hostile(const std::string& group, const std::vector<cases::hostile_body>&);
    void hostile(const std::string& group, const std::vector<cases::hostile_answer>&);
    void corpus(const std::vector<corpora::one_case>&); // its sections are the groups

private:
    void passes(const std::string& group, const corpora::one_case&);
    void refused(const std::string& group, const corpora::one_case&);
    void counted(const std::string& group, const corpora::one_case&);
    harness::outcome run(const harness::play& script);
    void note(const std::string& group, const std::string& name, bool refused, bool clean, const harness::outcome&);

    std::string name_;
    std::uint16_t port_;
    harness::listener& backend_;
    std::map<std::string, tally> groups_;
};

} // namespace peers
