// Reads from a response on its way to the client which resource it has just made (docs/behaviour.md 7). What it needs
// of the head it takes when it is made; the response goes on unchanged, whatever comes of it.
#pragma once

#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "sidecar/action.hpp"
#include "sidecar/uuid.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

class learner final : public payload_sink {
public:
    // A body of more than `body_bytes_max`, as it comes or decoded, teaches nothing.
    learner(const forward::learning& lesson, const response_head& response, std::size_t body_bytes_max);

    // Whether the body is to be read: body_reader is given this as its sink. If not, finish() knows already.
    bool wants_body() const noexcept { return coding_.has_value(); }
    bool too_large() const noexcept { return too_large_; } // more came than is read: nothing is learned
    std::size_t held_bytes() const noexcept { return body_.capacity(); }

    void payload(std::string_view bytes) override;
    void trailer(std::string_view) override {}

    // The whole response is here: the resource that it made.
    std::optional<uuid> finish() const;

private:
    std::optional<uuid> id_;            // known from the path
    std::optional<std::string> coding_; // of the body that is to be read, if one is
    std::size_t body_bytes_max_;
    bool too_large_ = false;
    std::string body_;
};

} // namespace sidecar
