// The response's way down: interim heads as they come, then the final one, edited, and its body; collected and
// rewritten where it is to be augmented, overheard where it teaches. One thread.
#pragma once

#include "proxy/data_plane/attempt.hpp"
#include "proxy/data_plane/augmenter.hpp"
#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/learner.hpp"
#include "proxy/data_plane/task.hpp"

#include <optional>

namespace sidecar {

class download {
public:
    download(request_context&, attempt&);
    ~download();
    download(const download&) = delete;
    download& operator=(const download&) = delete;

    // Ends with the response complete, the attempt switched, or failed.
    task<> run();

private:
    // The head.
    enum class head_found : std::uint8_t { none, interim, final, switching, fault };
    head_found take_head();
    head_found bad_response(const char* what) noexcept;
    void begin();
    void write_head();
    void write_head(response_changes);

    // The body.
    task<> collect();
    bool has_room_to_hold() noexcept;
    void relay_unmodified(not_augmented why);
    void bad_body() noexcept;
    void learn();

    // The bytes.
    task<bool> more();
    io_result read_some();
    void backend_ended(io how) noexcept;
    task<> relay(outgoing next);
    bool write_at_once(outgoing& next) noexcept;
    task<bool> write(outgoing& next);

    request_context& request_;
    attempt& attempt_;
    response_head head_;
    body_reader body_;
    buffer out_; // the head as it goes out
    std::optional<augmenter> augmenter_;
    std::optional<augmenter::result> made_; // by it
    std::optional<learner> learner_;
    std::size_t held_ = 0; // counted in worker_state::held_bytes
    std::size_t searched_ = 0;
    std::size_t interim_heads_ = 0;
    bool any_bytes_ = false;
    bool large_ = false; // the last read filled its space
    waiter turn_;
};

} // namespace sidecar
