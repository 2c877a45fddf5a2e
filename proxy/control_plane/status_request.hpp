// What a status poll sends, and what may be taken from its answer.
#pragma once

#include "proxy/control_plane/http_client.hpp"
#include "sidecar/config.hpp"
#include "sidecar/result.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace sidecar {

// Secrets are read from their files each time: they get rotated. Fails if one can't be read or is no field value; its
// content appears in no message. `hold` 0: no `Prefer: wait`.
result<http_client::fields> status_request_fields(const status_config&, std::string_view etag,
                                                  std::chrono::seconds hold);

// Preference-Applied: wait, or wait=20 (RFC 7240).
bool says_wait_applied(std::string_view preference_applied);

// nullopt: a 200 with JSON.
std::optional<http_failure> why_not_a_document(const http_answer&);

} // namespace sidecar
