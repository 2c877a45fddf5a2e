// What comes over a file's values before they are read: `--set KEY=VALUE`, and variables of the environment where a
// value names them. Both work on the tree, so that what they bring is checked as if it stood in the file.
#pragma once

#include "proxy/config/config_reader.hpp"
#include "proxy/config/load_config.hpp"
#include "proxy/config/yaml_document.hpp"

namespace sidecar {

// Each option's value takes the place of what the file says; of two with the same key the later one counts.
void set_options(yaml_node& root, const std::vector<std::string>& options, findings&);

// In values: ${NAME}, which must be set; ${NAME:-text}, where it is not set or empty; $${ for ${ itself.
void expand_variables(yaml_node& root, const overrides::variables&, findings&);

} // namespace sidecar
