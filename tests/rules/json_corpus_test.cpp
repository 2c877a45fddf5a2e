// JSON, production by production, as tests/corpora has it: what is not JSON is never inserted into, what is goes on
// being JSON, and limits are told apart from faults.
#include "sidecar/augment.hpp"

#include "tests/corpora/corpus.hpp"

#include <doctest/doctest.h>

#include <string>

namespace json_corpus_test {

using namespace sidecar;

boost::system::result<insertion, not_augmented> planned(const std::string& body) { return plan_insertion(body, "1"); }

bool is_limit(not_augmented why) { return why == not_augmented::number_out_of_range || why == not_augmented::too_deep; }

TEST_CASE("JSON, production by production") {
    const auto all = corpora::json();
    CHECK(all.size() > 200);
    for (const auto& one : all) {
        CAPTURE(one.name);
        const auto plan = planned(one.bytes);
        switch (one.verdict) {
        case corpora::verdict::passes:
            if (plan)
                CHECK(planned(std::string(one.bytes).insert(plan->at, plan->text)).error() ==
                      not_augmented::backends_own_word);
            else
                CHECK(plan.error() == not_augmented::not_an_object);
            break;
        case corpora::verdict::refused:
            REQUIRE(plan.has_error());
            CHECK((plan.error() == not_augmented::invalid_json || plan.error() == not_augmented::too_deep));
            break;
        case corpora::verdict::beyond:
            // Lone surrogates are JSON's grammar and no text: invalid to a reader that makes text of them.
            if (!plan) CHECK((is_limit(plan.error()) || one.section.starts_with("8.2")));
            break;
        case corpora::verdict::counted:
            FAIL("for messages alone");
        }
    }
}

} // namespace json_corpus_test
