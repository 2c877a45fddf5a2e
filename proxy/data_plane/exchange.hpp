// One request and its response, from the head's first byte to the response's last: decide, then move bytes. One thread.
#pragma once

#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/request_context.hpp"
#include "proxy/data_plane/task.hpp"
#include "sidecar/action.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace sidecar {

class attempt;

class exchange {
public:
    exchange(worker_state&, session&);
    ~exchange();
    exchange(const exchange&) = delete;
    exchange& operator=(const exchange&) = delete;

    // The client's connection afterwards. `linger`: it may still be sending; close it so that the response survives.
    enum class after : std::uint8_t { keep, close, linger, reset };
    task<after> run();

private:
    task<std::optional<after>> read_head(); // a value: there is nothing to decide about
    task<after> refuse(head_status);
    void decide();
    task<after> perform();
    bool take_body_start();
    task<after> forward_request();
    task<failure_reason> lease_connection(upstream_lease& into);
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
};

} // namespace sidecar
