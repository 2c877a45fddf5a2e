// One request and its response, from the head's first byte to the response's last: decide, then move bytes. One thread.
#pragma once

#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/request_context.hpp"
#include "proxy/data_plane/task.hpp"
#include "sidecar/action.hpp"

#include <cstddef>
#include <string>

namespace sidecar {

class attempt;

class exchange {
public:
    exchange(worker_state&, session&);
    ~exchange();
    exchange(const exchange&) = delete;
    exchange& operator=(const exchange&) = delete;

    using after = after_exchange;
    task<after> run();

private:
    head_status take_head();
    task<bool> more_of_head();
    task<after> refuse(head_status);
    void decide();
    task<after> perform();
    bool take_body_start();
    task<after> forward_request();
    bool take_kept_connection(upstream_lease& into);
    task<failure_reason> connect(upstream_lease& into);
    request_changes changes_of_request();
    reuse allowed_reuse() const noexcept;
    bool may_retry(const attempt&) const noexcept;
    after conclude(attempt&);
    task<after> after_failure(failure_reason, bool response_begun, bool would_look_whole);
    task<after> reply_failure(int status, std::string_view what);
    task<after> reply(local_reply, persistence wanted);
    task<after> discard_body();
    bool body_will_be_discarded() const noexcept;
    void finish();

    request_context request_;
    buffer body_start_; // the body's bytes that came with the head, as they go on
    std::string request_start_;
    std::size_t head_searched_ = 0;
};

} // namespace sidecar
