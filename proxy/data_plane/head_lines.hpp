// Cuts the head of a message into its lines and fields, and looks at every byte of it (RFC 9112 2.2, 3, 4 and 5). What
// they mean is message_head's. As the original bytes travel on, there is one spelling of everything: lines end with
// CRLF, no line is folded, one blank stands between the words of a start line, and none before a request's colon.
#pragma once

#include "proxy/data_plane/message_head.hpp"

#include <cstddef>
#include <string_view>

namespace sidecar {

// Fills `into`: bytes, start_line, minor_version, fields, kinds, and what its start line says. need_more: the bytes end
// within the head. malformed: `complaint` says why. What stands behind the head is not looked at. More bytes never
// change what is refused, nor why.
head_status read_lines(std::string_view bytes, const head_limits&, request_head& into);
head_status read_lines(std::string_view bytes, const head_limits&, response_head& into);

// Of a head that may not be whole: the first place at or behind `from` by which a reader can tell. That is the end of
// its start line, the end of the head, or a byte that no head holds: a control byte, a CR or LF alone. How many bytes
// there are up to it, the byte included; npos if there is none yet.
std::size_t find_verdict(std::string_view bytes, std::size_t from) noexcept;

} // namespace sidecar
