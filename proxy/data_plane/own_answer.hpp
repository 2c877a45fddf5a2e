// The answers that the sidecar makes itself (SPEC 6), whole.
#pragma once

#include "proxy/data_plane/forwarding.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "sidecar/action.hpp"
#include "sidecar/config.hpp"

#include <string>
#include <string_view>

namespace sidecar {

// For what goes wrong between the two sides. `reason` says what, in words for people.
reply error_reply(int status, std::string_view reason);

// Status line, fields (CORS if the request had an Origin), body (unless it answers a HEAD). `date`: IMF-fixdate.
std::string own_answer(const reply&, const request_head&, const own_answers_config&, persistence,
                       std::string_view date);

} // namespace sidecar
