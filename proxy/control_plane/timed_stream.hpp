// A connection of the control plane on which nothing takes longer than it may: TCP or a Unix socket, plain or TLS.
// Control thread. What Asio and OpenSSL instantiate for it stays in timed_stream.cpp.
#pragma once

#include "proxy/shared.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/error_code.hpp>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace sidecar {

class timed_stream {
public:
    using error_code = boost::system::error_code;
    using socket = boost::asio::generic::stream_protocol::socket;
    struct outcome {
        error_code ec;
        std::size_t n = 0;
    };
    // Whom a TLS server must be, by name or by address; in words, why it is not.
    struct expected_peer {
        std::string host;
        bool is_address = false;
        std::string ca_file; // empty: the system's authorities
    };
    struct handshake_outcome {
        error_code ec; // timed_out, or:
        std::string failure;
    };

    explicit timed_stream(boost::asio::io_context&);
    explicit timed_stream(socket accepted);
    ~timed_stream(); // ends what is under way
    timed_stream(const timed_stream&) = delete;
    timed_stream& operator=(const timed_stream&) = delete;

    // One at a time; whatever is not done by then ends with asio::error::timed_out, and the connection with it.
    boost::asio::awaitable<error_code> connect(const socket_address&, time_point by);
    boost::asio::awaitable<handshake_outcome> start_tls(expected_peer, time_point by);
    boost::asio::awaitable<outcome> read_some(char* into, std::size_t room, time_point by);
    boost::asio::awaitable<error_code> write(std::string_view, time_point by);

    void close(); // ends what is under way
    void end_writing();
    bool has_ended_or_sent() const; // bytes to read, or its end, or an error: before TLS is looked through
    socket_address local() const;
    socket_address remote() const;

private:
    struct state;
    std::shared_ptr<state> state_;
};

} // namespace sidecar
