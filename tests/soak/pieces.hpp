// Sends bytes as a network would: in pieces of random sizes.
#pragma once

#include "tests/harness/wire.hpp"
#include "tests/soak/script.hpp"

#include <string_view>

namespace soak {

// Now and then with a breath in between, or (`urgent`) an urgent byte. False: the peer takes no more.
bool send_in_pieces(harness::wire& to, std::string_view bytes, dice& d, bool urgent = false);

} // namespace soak
