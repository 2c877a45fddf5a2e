// How bytes are cut must not matter: every exchange, with each side's bytes cut at every position and into single
// bytes, brings the same bytes to both ends as uncut, or the same refusal, and ends its connections the same way.
#include "tests/cuts/exchanges.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <set>

using namespace cuts;

namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = harness::sanitized;
#endif

// Every position of what is short. Of what is long: near its ends, near the sizes of buffers, and some between.
std::vector<std::size_t> positions(std::size_t size, std::size_t phase) {
    constexpr std::size_t short_max = 1'500, edge = 250;
    const std::size_t between = std::max<std::size_t>(997, size / 50);
    const std::size_t stride = is_sanitized ? 9 : 1;
    std::vector<std::size_t> all;
    for (std::size_t at = 1; at < size; ++at) {
        const bool near_an_edge = at < edge || at + edge > size;
        const bool near_a_buffer = size < 200'000 && (at + 3) % 16'384 < 6;
        const bool taken = size <= short_max || near_an_edge || near_a_buffer || at % between == 0;
        if (taken && (at + phase) % stride == 0) all.push_back(at);
    }
    return all;
}

std::vector<plan> plans(const script& of, std::size_t phase) {
    std::vector<plan> all;
    std::size_t bytes = 0;
    const auto cut = [&](plan::side whose, std::size_t index, std::size_t size) {
        bytes += size;
        for (const auto at : positions(size, phase)) all.push_back({whose, index, at});
    };
    for (std::size_t i = 0; i < of.client.size(); ++i) cut(plan::side::client, i, of.client[i].bytes.size());
    for (std::size_t i = 0; i < of.backend.size(); ++i) cut(plan::side::backend, i, of.backend[i].bytes.size());
    for (const std::size_t pieces : {1, 2, 7, 1'000})
        if (bytes / pieces < 3'000 && bytes > pieces) all.push_back({plan::side::everybody, 0, 0, pieces});
    return all;
}

class played {
public:
    explicit played(std::vector<script> scripts) : scripts_(std::move(scripts)) {
        std::size_t phase = 0;
        for (const auto& each : scripts_) play_all(each, ++phase);
        MESSAGE(scripts_.size() << " exchanges, cut in " << runs_ << " ways");
    }
    const std::vector<script>& scripts() const { return scripts_; }
    const outcome& uncut(const std::string& name) const { return uncut_.at(name); }

private:
    void play_all(const script& each, std::size_t phase) {
        constexpr int told_max = 3;
        auto& on = each.over == family::tcp ? tcp_ : unix_;
        on.publish(document); // nothing is left of what was learned
        const auto uncut = cuts::play(on, each, {});
        uncut_[each.name] = uncut;
        int told = 0;
        for (const auto& how : plans(each, phase)) {
            on.publish(document);
            ++runs_;
            const auto what = difference(each, uncut, cuts::play(on, each, how));
            if (what.empty() || ++told > told_max) continue;
            FAIL_CHECK(described(each, how) << "\n    " << what);
        }
        CHECK(told == 0);
    }

    stage unix_{family::unix_socket, configure, document};
    stage tcp_{family::tcp, configure, document};
    std::vector<script> scripts_;
    std::map<std::string, outcome> uncut_;
    std::size_t runs_ = 0;
};

} // namespace

TEST_CASE("cuts do not matter: what passes") { const played all(peer_scripts()); }

TEST_CASE("cuts do not matter: what is refused") { const played all(refused_scripts()); }

TEST_CASE("cuts do not matter: pipelines, bodies, early responses, versions, upgrades, ends") {
    const played all(exchange_scripts());
}

TEST_CASE("cuts do not matter: what the rules select") { const played all(rule_scripts()); }

TEST_CASE("cuts do not matter: bytes behind the end reach nobody") {
    const played all(behind_the_end_scripts());
    for (const auto& each : all.scripts()) {
        CAPTURE(each.name);
        const auto& seen = all.uncut(each.name);
        CHECK(seen.at_client.find("POISON") == std::string::npos);
        CHECK(seen.at_client.ends_with("next"));
    }
}

TEST_CASE("there are exchanges enough, and each has its name") {
    std::set<std::string> names;
    std::size_t count = 0;
    for (const auto& group :
         {peer_scripts(), refused_scripts(), exchange_scripts(), rule_scripts(), behind_the_end_scripts()})
        for (const auto& each : group) {
            ++count;
            names.insert(each.name);
        }
    CHECK(count >= 300);
    CHECK(names.size() == count);
}
