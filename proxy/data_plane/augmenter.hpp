// Collects a response's body and makes of head and body what goes out in their place (docs/behaviour.md 4). A plain
// object without a socket; one per response, and none of its memory outlives it.
//
//     augmenter what(...);
//     if (auto why = what.reject(head))           relay unmodified
//     collect() what body_reader lets out, until the message ends; false: relay held() and the rest unmodified
//     auto made = what.finish(head);              relay held() unmodified, or write the head with made.changes and
//                                                 then made.body
#pragma once

#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "sidecar/action.hpp"
#include "sidecar/augment.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

class augmenter final : public payload_sink {
public:
    // `what` and `request` must stay as long as the augmenter. A body of more than `body_bytes_max` is not augmented.
    augmenter(const augment& what, const request_head& request, std::size_t body_bytes_max) noexcept;

    // Judged by its head alone: why it is relayed unmodified. nullopt: collect its body; of a response to a HEAD,
    // which has none, finish() comes next.
    std::optional<not_augmented> reject(const response_head&);

    // What body_reader lets out, as it would travel on unmodified; body_reader is given this as its sink, too. False:
    // more than may be held. What is held is then still all that was given.
    bool collect(std::string_view out);
    void payload(std::string_view bytes) override;
    void trailer(std::string_view line) override;

    std::string_view held() const noexcept { return held_; } // all that was collected, to be relayed unmodified
    std::size_t held_bytes() const noexcept;                 // memory: what counts against the worker's budget

    struct result {
        std::optional<not_augmented> why_not; // relay held(); nothing below says anything then
        int status = 200;                     // 304: there is no body. 412: give a local reply
        response_changes changes;             // besides the client's version and persistence
        std::string body;                     // all that follows the head, chunk framing and trailers included
    };
    // The whole body is here. Once, and the augmenter must stay as long as the result.
    result finish(const response_head&);

private:
    int status_by_conditions() const noexcept;

    const augment& what_;
    const request_head& request_;
    std::size_t body_bytes_max_;
    bool framed_ = false; // what is held has chunk framing in it, so that the payload is kept apart
    std::string held_;
    std::string payload_;
    std::string trailers_;
    std::string etag_;
};

} // namespace sidecar
