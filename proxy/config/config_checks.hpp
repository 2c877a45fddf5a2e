// What the keys of a configuration have to do with each other: each may be right and both together wrong.
#pragma once

#include "proxy/config/config_reader.hpp"
#include "sidecar/config.hpp"

namespace sidecar {

// Complains about what the data plane and the rule table count on and do not check again. Keys that are wrong by
// themselves (and so hold their defaults) are left out of it. `rules_of_the_file` come before the built-in ones.
void check_together(const config&, std::size_t rules_of_the_file, findings&);

} // namespace sidecar
