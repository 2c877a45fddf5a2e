// The admin page: admin_page.html with the moment's state put in. One page without outside assets, whole without its
// script, which only fetches it again and puts the new parts in place; all that is put in is escaped. Pure.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <string>
#include <string_view>

namespace sidecar {

// `id`: what was searched for; empty: nothing. `nonce`: of the Content-Security-Policy that goes with it.
std::string admin_page(const standing&, std::string_view id, std::string_view nonce);

// Text as HTML content or as an attribute's value in quotes.
std::string escape_html(std::string_view text);

} // namespace sidecar
