// A standing made by hand, for tests of what is made of it.
#pragma once

#include "proxy/control_plane/name_lookup.hpp"
#include "proxy/control_plane/observer.hpp"
#include "proxy/control_plane/settings.hpp"
#include "proxy/control_plane/standing.hpp"

namespace sidecar::testing {

struct made_standing {
    worker_metrics first, second;
    control_metrics control;
    rule_rows rows;
    standing now;
    observations seen;

    made_standing() {
        now.seen = &seen;
        now.now = time_point(std::chrono::seconds(1000));
        now.started = time_point(std::chrono::seconds(900));
        now.workers = {&first, &second};
        now.rows = &rows;
        now.control = &control;
        now.current = make_settings(config{}, {2, 10'000, literal_address(config{}.upstream.address), {}});
        now.known = std::make_shared<readiness>();
        now.process = read_process_figures();
        control.reload_last_ok.set(1);
    }

    // What the observer does each second.
    void observe() {
        seen.past.add(take_tally(now.workers), {}, not_ready_count(now), now.now);
        seen.troubles.look(find_trouble(read_symptoms(now, seen.past)), now.now);
    }
    void pass(std::chrono::seconds time) {
        for (; time.count() > 0; --time) {
            now.now += std::chrono::seconds(1);
            observe();
        }
    }

    // A good poll, so long ago, with this document.
    void polled(std::string_view document, std::chrono::milliseconds ago = std::chrono::milliseconds(250)) {
        const auto& needs = now.current->rules.needs();
        readiness known;
        known.asked_at = known.answered_at = now.now - ago;
        auto read = read_status(document, needs).value();
        read.note_first_seen(*now.known, known.answered_at);
        known.document = std::make_shared<const status_document>(std::move(read));
        now.poll.tried = true;
        now.poll.collections.clear();
        for (std::size_t i = 0; i < needs.collections.size(); ++i) {
            const auto& table = known.document->collections[i];
            poll_report::collection counted{needs.collections[i].name, table.size(), {}, table.memory_bytes()};
            for (std::size_t m = 0; m < needs.collections[i].members.size(); ++m)
                counted.not_ready.emplace_back(needs.collections[i].members[m], table.not_ready_count(m));
            now.poll.collections.push_back(std::move(counted));
        }
        now.poll.document_bytes = document.size();
        now.known = std::make_shared<const readiness>(std::move(known));
    }
};

inline constexpr const char* one_of_each =
    R"({"projects":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_upload_ready":false,"is_download_ready":true}],)"
    R"("files":[{"id":"777be35a-98e0-4c2e-9a17-7bc009f9b111","is_download_ready":false}]})";

} // namespace sidecar::testing
