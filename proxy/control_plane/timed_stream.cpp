#include "proxy/control_plane/timed_stream.hpp"

#include "proxy/control_plane/awaiting.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>

#include <cerrno>
#include <optional>
#include <utility>

namespace sidecar {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using socket = timed_stream::socket;
using tls_stream = asio::ssl::stream<socket&>;

// OpenSSL's own check: unlike Asio's it says in words what did not match. False: it would not check (a spelling of an
// address that the resolver takes and OpenSSL does not), and anybody's certificate would do.
bool expect(tls_stream& stream, const timed_stream::expected_peer& peer) {
    auto* tls = stream.native_handle();
    auto* expected = ::SSL_get0_param(tls);
    if (peer.is_address) return ::X509_VERIFY_PARAM_set1_ip_asc(expected, peer.host.c_str()) == 1;
    ::X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return ::X509_VERIFY_PARAM_set1_host(expected, peer.host.c_str(), peer.host.size()) == 1 &&
           SSL_set_tlsext_host_name(tls, peer.host.c_str()) == 1; // RFC 6066 3: a name, never an address
}

// What OpenSSL has to say beyond `certificate verify failed`.
std::string tls_message(tls_stream& stream, const error_code& ec) {
    const long verified = ::SSL_get_verify_result(stream.native_handle());
    std::string message = "TLS: " + ec.message();
    if (verified != X509_V_OK) message += std::string(": ") + ::X509_verify_cert_error_string(verified);
    return message;
}

socket_address address_of(const asio::generic::stream_protocol::endpoint& end) {
    socket_address address;
    address.length = static_cast<socklen_t>(end.size());
    std::memcpy(&address.storage, end.data(), end.size());
    return address;
}

} // namespace

// What waits holds it, so that it may end after the stream.
struct timed_stream::state : std::enable_shared_from_this<state> {
    explicit state(socket of) : transport(std::move(of)), timer(transport.get_executor()) {}

    void set_deadline(time_point by) {
        timer.expires_at(by);
        timer.async_wait([self = shared_from_this()](error_code ec) {
            if (ec) return;
            self->timed_out = true;
            self->close();
        });
    }
    error_code ended(error_code ec) {
        timer.cancel();
        return ec && timed_out ? asio::error::timed_out : ec;
    }
    // Not a mere cancel: what is between two steps would go on to the next.
    void close() {
        error_code ignored;
        transport.close(ignored);
    }

    socket transport;
    asio::steady_timer timer;
    std::optional<tls_stream> tls;
    bool timed_out = false;
};

timed_stream::timed_stream(asio::io_context& io) : timed_stream(socket(io)) {}

timed_stream::timed_stream(socket accepted) : state_(std::make_shared<state>(std::move(accepted))) {}

timed_stream::~timed_stream() { close(); }

asio::awaitable<error_code> timed_stream::connect(const socket_address& to, time_point by) {
    const auto self = state_;
    const asio::generic::stream_protocol::endpoint end(&to.storage, to.length);
    self->set_deadline(by);
    const auto [ec] = co_await self->transport.async_connect(end, as_tuple);
    co_return self->ended(ec);
}

// The certificate authorities are read for each connection: they get replaced in a running pod, too.
asio::awaitable<timed_stream::handshake_outcome> timed_stream::start_tls(expected_peer peer, time_point by) {
    const auto self = state_;
    handshake_outcome got;
    asio::ssl::context context(asio::ssl::context::tls_client);
    if (peer.ca_file.empty())
        context.set_default_verify_paths(got.ec);
    else
        context.load_verify_file(peer.ca_file, got.ec);
    if (got.ec) {
        got.failure = "status.ca_file '" + peer.ca_file + "': " + got.ec.message();
        co_return got;
    }
    ::SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
    self->tls.emplace(self->transport, context);
    self->tls->set_verify_mode(asio::ssl::verify_peer);
    if (!expect(*self->tls, peer)) {
        got.ec = asio::error::invalid_argument;
        got.failure = "TLS: no certificate can be for '" + peer.host + "'";
        co_return got;
    }
    self->set_deadline(by);
    const auto [ec] = co_await self->tls->async_handshake(asio::ssl::stream_base::client, as_tuple);
    got.ec = self->ended(ec);
    if (got.ec) got.failure = tls_message(*self->tls, ec);
    co_return got;
}

asio::awaitable<timed_stream::outcome> timed_stream::read_some(char* into, std::size_t room, time_point by) {
    const auto self = state_;
    const auto buffer = asio::buffer(into, room);
    self->set_deadline(by);
    if (self->tls) {
        const auto [ec, n] = co_await self->tls->async_read_some(buffer, as_tuple);
        co_return outcome{self->ended(ec), n};
    }
    const auto [ec, n] = co_await self->transport.async_read_some(buffer, as_tuple);
    co_return outcome{self->ended(ec), n};
}

asio::awaitable<error_code> timed_stream::write(std::string_view bytes, time_point by) {
    const auto self = state_;
    const auto buffer = asio::buffer(bytes.data(), bytes.size());
    self->set_deadline(by);
    if (self->tls) {
        const auto [ec, n] = co_await asio::async_write(*self->tls, buffer, as_tuple);
        co_return self->ended(ec);
    }
    const auto [ec, n] = co_await asio::async_write(self->transport, buffer, as_tuple);
    co_return self->ended(ec);
}

void timed_stream::close() { state_->close(); }

void timed_stream::end_writing() {
    error_code ignored;
    state_->transport.shutdown(socket::shutdown_send, ignored);
}

bool timed_stream::has_ended_or_sent() const {
    char byte = 0;
    const auto got = ::recv(state_->transport.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return !(got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK));
}

socket_address timed_stream::local() const {
    error_code ignored;
    return address_of(state_->transport.local_endpoint(ignored));
}

socket_address timed_stream::remote() const {
    error_code ignored;
    return address_of(state_->transport.remote_endpoint(ignored));
}

} // namespace sidecar
