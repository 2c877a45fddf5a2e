#include "proxy/shared.hpp"

namespace sidecar {

bool readiness_board::learn(const learned_entry& entry, const schema& by, std::size_t entries_max, time_point now) {
    std::size_t dropped = 0;
    {
        std::lock_guard lock(mutex_);
        const auto lesson = by == schema_ ? entry : translated(entry, by, schema_);
        if (!lesson) return true; // of nothing that is asked for now
        static const learned nothing;
        const learned& before = current_.recent ? *current_.recent : nothing;
        const auto asked_at = current_.document ? std::optional(current_.asked_at) : std::nullopt;
        // As readiness::counts() has it.
        const auto expired = current_.fresh(now) ? time_point::min() : now - current_.max_age;
        current_.recent = std::make_shared<learned>(before.with(*lesson, asked_at, expired, entries_max, dropped));
        published_.publish(std::make_shared<readiness>(current_));
    }
    if (on_learned_) on_learned_();
    return dropped == 0;
}

void readiness_board::publish(std::shared_ptr<const status_document> document, time_point asked_at,
                              time_point answered_at) {
    const bool is_new = document != nullptr;
    {
        std::lock_guard lock(mutex_);
        if (document) current_.document = std::move(document);
        current_.asked_at = asked_at;
        current_.answered_at = answered_at;
        published_.publish(std::make_shared<readiness>(current_));
    }
    if (is_new && on_document_) on_document_();
}

void readiness_board::configure(const schema& needs, std::chrono::milliseconds max_age, unlisted unlisted_means) {
    std::lock_guard lock(mutex_);
    if (schema_ != needs) {
        if (current_.recent) {
            auto kept = std::make_shared<learned>();
            for (const auto& each : current_.recent->entries)
                if (auto there = translated(each, schema_, needs)) kept->entries.push_back(*there);
            current_.recent = std::move(kept);
        }
        schema_ = needs;
        current_.document = nullptr;
        current_.schema_fingerprint = needs.fingerprint();
    }
    current_.max_age = max_age;
    current_.unlisted_means = unlisted_means;
    published_.publish(std::make_shared<readiness>(current_));
}

} // namespace sidecar
