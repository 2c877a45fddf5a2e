// Bytes of a timed_stream into one of Beast's parsers: its own composed operations would be instantiated for each
// stream and parser, which takes longer to compile than all else of the control plane.
#pragma once

#include "proxy/control_plane/timed_stream.hpp"

#include <boost/asio/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>

namespace sidecar {

enum class part_of_message : std::uint8_t { head, all };

// Until the parser has it. What came behind it stays in the buffer. An end where there may be none is one of Beast's
// errors, as if it had read: end_of_stream before the first byte, partial_message thereafter.
template <class Parser>
boost::asio::awaitable<boost::system::error_code> read_message(timed_stream& from, boost::beast::flat_buffer& buffer,
                                                               Parser& parser, part_of_message wanted, time_point by) {
    namespace http = boost::beast::http;
    constexpr std::size_t room = 64 * 1024;
    constexpr std::size_t framing_max = 64 * 1024; // what the parser leaves is a head, a chunk's line or trailers
    const auto is_there = [&] { return wanted == part_of_message::head ? parser.is_header_done() : parser.is_done(); };
    parser.eager(wanted == part_of_message::all);
    while (!is_there()) {
        boost::system::error_code ec;
        const auto used = buffer.size() == 0 ? 0 : parser.put(buffer.data(), ec);
        buffer.consume(used);
        if (ec && ec != http::error::need_more) co_return ec;
        if (used > 0) continue;
        if (buffer.size() > framing_max) co_return http::error::header_limit;

        const auto space = buffer.prepare(room);
        const auto got = co_await from.read_some(static_cast<char*>(space.data()), space.size(), by);
        buffer.commit(got.n);
        if (got.ec != boost::asio::error::eof) {
            if (got.ec) co_return got.ec;
            continue;
        }
        if (!parser.got_some() && buffer.size() == 0) co_return http::error::end_of_stream;
        parser.put_eof(ec);
        if (!ec && !is_there()) ec = http::error::partial_message;
        co_return ec;
    }
    co_return boost::system::error_code{};
}

} // namespace sidecar
