// What there is to configure, for people and editors; made from the same list of keys by which files are read.
#pragma once

#include <string>

namespace sidecar {

std::string config_schema();    // JSON Schema 2020-12: `sidecar --print-schema`, sidecar.schema.json
std::string config_reference(); // Markdown: `sidecar --print-reference`, docs/configuration.md
std::string config_file();      // each key with its default and a line about it: sidecar.yaml

} // namespace sidecar
