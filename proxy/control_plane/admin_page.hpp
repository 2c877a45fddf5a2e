// The admin page: admin_page.html with the figures of the moment put in. One page without outside assets; all that is
// put in is escaped. Pure.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <string>
#include <string_view>

namespace sidecar {

// `config_text`: what /config shows. `id`: what was searched for; empty: the list of what is not ready. `nonce`: of
// the Content-Security-Policy that goes with it.
std::string admin_page(const standing&, std::string_view config_text, std::string_view id, std::string_view nonce);

// Text as HTML content or as an attribute's value in quotes.
std::string escape_html(std::string_view text);

} // namespace sidecar
