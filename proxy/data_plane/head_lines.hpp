// Cuts the head of a message into its lines and fields, and looks at every byte of it (RFC 9112 2.2, 3, 4 and 5). What
// they mean is message_head's. As the original bytes travel on, there is one spelling of everything: lines end with
// CRLF, no line is folded, one blank stands between the words of a start line, and none before a colon.
#pragma once

#include "proxy/data_plane/message_head.hpp"

#include <cstddef>
#include <string_view>

namespace sidecar {

// Fills `into`: bytes, start_line, minor_version, fields, kinds, and what its start line says. need_more: the bytes end
// within the head. malformed: `complaint` says why. What stands behind the head is not looked at.
head_status read_lines(std::string_view bytes, std::size_t fields_max, request_head& into);
head_status read_lines(std::string_view bytes, std::size_t fields_max, response_head& into);

} // namespace sidecar
