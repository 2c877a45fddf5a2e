// One try to have the backend respond: its connection, the request on its way up, the response on its way down. Trying
// again makes another. One thread.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/request_context.hpp"
#include "proxy/data_plane/task.hpp"
#include "proxy/data_plane/upstream.hpp"
#include "sidecar/metrics.hpp"

#include <string_view>

namespace sidecar {

class attempt {
public:
    // `body_start`: the body's bytes that came with the head; they and what `changes` views stay until run() is over.
    attempt(request_context&, upstream_lease, const request_changes& changes, std::string_view body_start);
    ~attempt() { // also where an exception ends it
        request.client.untie();
        if (is_awaited_ && failure == failure_reason::client_gone) request.worker.metrics.upstream_given_up.add();
        request.from.upload_waits_since = request.from.download_waits_since = time_point::max();
        stop_awaiting();
    }
    attempt(const attempt&) = delete;
    attempt& operator=(const attempt&) = delete;

    // Sends the request and relays the response, both at the same time if a body is left to be sent. Afterwards:
    // `failure`, or `switched` (101: all that follows is a tunnel's), or a response that has gone out whole.
    task<> run();

    request_context& request;
    upstream_lease backend;
    failure_reason failure = failure_reason::none;
    const char* detail = "";
    bool switched = false;
    bool response_begun = false;      // some of the final response has gone to the client: no other can
    bool precondition_failed = false; // nothing has gone to the client: it is to get a 412
    bool reusable = false;            // the connection, after a request that went up whole
    persistence client_persistence = persistence::keep_alive;

    bool request_complete() const noexcept { return upload_ == upload_state::complete; }
    bool would_look_whole() const noexcept { return ends_by_close; }

    // For the two directions alone: what they tell each other.
    enum class upload_state : std::uint8_t { under_way, complete, abandoned };

    // The first failure counts. Whoever waits on either connection goes on, and finds `over()`.
    void fail(failure_reason, const char* what = "") noexcept;
    bool over() const noexcept { return failure != failure_reason::none || upload_ == upload_state::abandoned; }
    bool failed() const noexcept { return failure != failure_reason::none; }
    void go_on_with_body() noexcept; // the backend lets the client send, or it does all the same
    void upload_complete() noexcept;
    void abandon_upload() noexcept;
    void response_complete() noexcept;
    void final_head_came() noexcept; // whole: until then, whatever interim responses there are, it is waited for
    upload_state upload() const noexcept { return upload_; }

    buffer head;                                 // the request's, as it goes up
    outgoing unsent;                             // of head and body
    buffer received;                             // from the backend, not yet looked at; after `switched` the tunnel's
    time_point body_due = time_point::max();     // the request's next bytes
    time_point response_due = time_point::max(); // the response's next bytes; counts from the request's end
    bool awaiting_head = true;                   // the final response's
    bool awaits_continue;                        // the client sends nothing until the backend lets it
    bool stop_upload_at_end = false;             // the client waits for a 100 that will not come
    bool ends_by_close = false;                  // what the client gets has no end of its own
    bool is_response_complete = false;

private:
    void await_head() noexcept;
    void tie_to_client() noexcept;
    void stop_awaiting() noexcept;

    upload_state upload_ = upload_state::under_way;
    bool is_awaited_ = false; // counted as such
};

} // namespace sidecar
