// Reads just enough of HTTP/1 for tests to talk about messages; of its own, so that it shares no mistake with the
// code under test.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace harness {

// The value of the first field of this name, without regard to case.
std::optional<std::string> field_of(std::string_view head, std::string_view name);
std::size_t count_of(std::string_view head, std::string_view name);
int status_of(std::string_view head); // 0: no status line
std::string lower(std::string_view text);

// How many of these bytes the chunked body takes, trailers included; nullopt: it is not all there.
std::optional<std::size_t> chunked_size(std::string_view bytes);
std::string unchunked(std::string_view bytes);
std::string chunked(std::string_view payload, std::size_t chunk = 4096);

// The size of the request, with its body, at the beginning of these bytes; nullopt: it is not all there.
std::optional<std::size_t> request_size(std::string_view bytes);

} // namespace harness
