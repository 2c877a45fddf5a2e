// One request and its answer, from the head's first byte to the answer's last: decide, then move bytes.
#pragma once

#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/forwarding.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "proxy/data_plane/outbox.hpp"
#include "proxy/data_plane/session.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/upstream.hpp"
#include "sidecar/action.hpp"
#include "sidecar/rules.hpp"

#include <optional>
#include <string>

namespace sidecar {

// The memory of an exchange; kept by the worker and used again.
struct exchange_state {
    exchange_state(buffer_pool& buffers, pipe_pool& pipes)
        : to_backend(pipes),
          to_client(pipes),
          from_client(buffers),
          from_backend(buffers) {}
    void clear();

    request_head request;
    answer_head answer;
    outbox to_backend;
    outbox to_client;
    buffer from_client;  // body bytes that did not come with the head
    buffer from_backend; // the answer: its head, then its body as it passes
    std::string payload; // of an answer that is collected (augment) or overheard (learn)
    std::string trailer;
    std::string spliced;
    std::string etag;
};

enum class side : std::uint8_t { client, backend };

// What went wrong, whose fault it is and what the client is to get, if it can still get anything.
struct failure_cause {
    side source = side::backend;
    int status = 0; // the own answer; 0: none, close
    const char* what = "";
};

class exchange final : private payload_sink {
public:
    exchange(worker_context&, session&);
    ~exchange();
    exchange(const exchange&) = delete;
    exchange& operator=(const exchange&) = delete;

    // The client's connection afterwards. `linger`: it may still be sending; close it so that the answer survives.
    enum class after : std::uint8_t { keep, close, linger, reset };
    task<after> run();

private:
    // exchange.cpp: the life of a request.
    head_status read_some_of_head();
    bool decide_on_it();
    task<after> perform(const action&);
    task<after> reach_and_relay();
    task<after> answer_itself(local_reply, persistence);
    task<after> refuse(head_status);
    task<bool> reach_backend();
    void send_head();
    bool may_retry() const noexcept;
    void forget_try();
    after conclude();
    task<after> answer_failure();
    task<bool> drain_body();
    bool body_will_be_drained() const noexcept;
    bool is_repeatable() const noexcept;
    bool is_ordinary() const noexcept;

    // note.cpp: what was done, for counters and the log.
    void note_end();
    void log_access(std::chrono::nanoseconds took);

    // relay.cpp: both directions, step by step; but for relay() none of these waits.
    task<> relay();
    bool step();
    bool step_up();
    void abandon_upload();
    bool read_body_from_client();
    bool step_down();
    bool flush_to_client();
    bool read_answer_from_backend();
    std::optional<io_result> pass_unseen(connection& from, body_reader&, buffer& unused, outbox& to);
    static std::span<char> space_for_body(buffer&, bool large);
    void take_answer_heads();
    void pass_interim();
    void begin_answer();
    void pass_answer_head(const answer_changes&);
    void pass_body(std::string_view bytes);
    void take_answer_back();
    void end_answer();
    void backend_ended(io);
    void fail(failure_cause);
    bool finished() const noexcept;

    // When what is being waited for has taken too long, and what then.
    struct stall {
        time_point at;
        limit which;
        failure_cause cause;
    };
    stall upward_stall() const noexcept;
    stall downward_stall() const noexcept;
    time_point deadline() const noexcept;
    void on_deadline();

    // tunnel.cpp
    task<> tunnel();

    // augmenting.cpp: collects the answer, splices, and puts true metadata in front; and what passing answers teach.
    std::optional<not_augmented> why_not_augmented() const noexcept;
    void begin_augmenting();
    void collect(std::string_view bytes);
    void pass_as_it_came(not_augmented why);
    void finish_collecting();
    void pass_augmented(const insertion&, std::string_view body);
    void pass_rechunked(const insertion&, std::string_view body);
    bool is_not_modified(std::string_view etag) const noexcept;
    void reread_head();
    void learn();

    void payload(std::string_view bytes) override;
    void trailer(std::string_view bytes) override;

    bool answer_started() const noexcept { return answer_stage_ >= stage::passing; }
    answer_changes usual_changes() const noexcept;

    enum class up_stage : std::uint8_t { sending, done, abandoned };
    enum class stage : std::uint8_t { awaiting_head, collecting, passing, complete, tunnelling };

    worker_context& context_;
    session& session_;
    connection& client_;
    std::unique_ptr<exchange_state> state_;
    std::shared_ptr<const settings> settings_; // one configuration from the head to the end
    upstream_lease backend_;

    // The request.
    decision decision_;
    const augment* augment_ = nullptr; // in decision_
    const forward* forward_ = nullptr; // in decision_
    request_changes request_changes_;
    std::string request_id_; // made here
    std::string peer_;
    body_reader request_body_;
    up_stage up_ = up_stage::sending;
    std::size_t head_bytes_ = 0;    // of session_.received: blank lines and the head
    std::size_t received_used_ = 0; // of session_.received: head, and the body's bytes that came with it
    std::size_t head_searched_ = 0;
    std::string_view pipelined_; // in from_client: read beyond the body's end
    bool client_ended_ = false;
    bool large_reads_up_ = false;

    // The answer.
    body_reader answer_body_;
    stage answer_stage_ = stage::awaiting_head;
    persistence client_persistence_ = persistence::keep_alive;
    std::size_t answer_searched_ = 0;
    std::size_t collected_from_ = 0; // where the collected body begins in from_backend
    std::size_t interim_answers_ = 0;
    bool continued_ = false;   // a 100 has gone to the client
    bool stop_upload_ = false; // the client waits for a 100 that will not come
    bool unchunk_ = false;
    bool overhear_ = false;
    bool backend_reusable_ = false;
    bool any_answer_bytes_ = false;
    bool large_reads_down_ = false;

    std::optional<failure_cause> failure_;
    bool was_reused_ = false;
    bool retried_ = false;

    // For deadlines, counters and the log.
    time_point began_;
    time_point up_progress_, down_progress_; // when either direction last moved
    time_point sent_at_{};                   // when the request's last byte went
    time_point answered_at_{};               // when the answer's first byte came
    action_kind kind_ = action_kind::forward;
    int status_ = 0; // what the client got; 0: no answer
    std::uint64_t bytes_from_client_ = 0;
    std::uint64_t bytes_to_client_ = 0;
    const char* outcome_ = "";
    std::optional<not_augmented> unspliced_;
    bool was_spliced_ = false;
};

} // namespace sidecar
