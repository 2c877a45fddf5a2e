// What the threads share: the settings and the readiness, each immutable and published whole, and what was learned.
#pragma once

#include "sidecar/config.hpp"
#include "sidecar/latest.hpp"
#include "sidecar/log.hpp"
#include "sidecar/readiness.hpp"
#include "sidecar/rules.hpp"

#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace sidecar {

struct socket_address {
    sockaddr_storage storage{};
    socklen_t length = 0;
};
bool operator==(const socket_address&, const socket_address&);
std::string to_string(const socket_address&); // 127.0.0.1:80, [::1]:80, unix:/run/dds/puma.sock

// One configuration, made ready for use. Each request sees one of these from its head to its end.
struct settings {
    config values;
    rule_table rules;
    std::vector<socket_address> upstream_addresses; // empty while the name does not resolve; tried in order
    std::size_t connections_max = 0;                // per worker, resolved from `auto`
    std::size_t upstream_connections_max = 0;       // per worker
    std::size_t upstream_idle_max = 0;              // per worker
    std::size_t upstream_pending_max = 0;           // per worker
    std::size_t augment_held_max = 0;               // per worker
    std::string upstream_authority;                 // of the backend, where a request names none
    std::uint64_t schema_fingerprint = 0;           // of rules.needs()
};

// Where workers put what passing answers teach, and the poll puts documents. One readiness is published for all.
class readiness_board {
public:
    // `on_learned` is called, on the worker's thread, after each lesson is published: it must only post. `on_document`,
    // on the control thread, after each document is.
    explicit readiness_board(std::function<void()> on_learned = {}, std::function<void()> on_document = {})
        : on_learned_(std::move(on_learned)),
          on_document_(std::move(on_document)) {}

    // A worker, before it relays the end of the response. False: no room (learn_entries_max), it was the oldest's.
    // `by`: the schema of its places, which a reload may have replaced meanwhile.
    bool learn(const learned_entry&, const schema& by, std::size_t entries_max, time_point now);

    // The control thread: a good poll's document, or the old one renewed by a 304 (document null).
    void publish(std::shared_ptr<const status_document> document, time_point asked_at, time_point answered_at);

    // The control thread, on start and on a reload. Another schema than the present one's ends what polls have said.
    void configure(const schema&, std::chrono::milliseconds max_age, unlisted);

    const latest<readiness>& published() const noexcept { return published_; }
    // Before much memory is needed for the next: what workers have let go since the last.
    void free_replaced() { published_.free_replaced(); }

private:
    std::mutex mutex_; // between writers
    schema schema_;
    readiness current_;
    latest<readiness> published_{std::make_shared<readiness>()};
    std::function<void()> on_learned_;
    std::function<void()> on_document_;
};

struct shared {
    latest<settings> current_settings;
    readiness_board& board;
    sidecar::log& log;
    std::atomic<bool> told_of_coding = false; // a backend that compresses although asked not to is named once
};

} // namespace sidecar
