// The replies that the sidecar makes itself (docs/behaviour.md 6), whole. No I/O.
#pragma once

#include "proxy/data_plane/buffer.hpp"
#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "sidecar/action.hpp"
#include "sidecar/config.hpp"

#include <string>
#include <string_view>

namespace sidecar {

// For what goes wrong between the two sides. `reason` says what, in words for people.
local_reply error_reply(int status, std::string_view reason);

// {"error":404,"code":"..","reason":"..","suggestion":".."}: one line of JSON.
std::string error_body(const local_reply&);

// Appends status line, fields (CORS if the request had an Origin), body (unless it replies to a HEAD). `date`:
// IMF-fixdate.
void write_local_reply(const local_reply&, const request_head&, const own_answers_config&, persistence,
                       std::string_view date, buffer& out);

} // namespace sidecar
