#include "proxy/control_plane/admin.hpp"

#include "proxy/control_plane/awaiting.hpp"

#include "proxy/control_plane/admin_access.hpp"
#include "proxy/control_plane/http_reading.hpp"
#include "proxy/control_plane/name_lookup.hpp"
#include "proxy/control_plane/timed_stream.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>

#include <cstring>
#include <exception>
#include <list>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::uint32_t header_bytes_max = 16 * 1024;

struct session {
    explicit session(tcp::socket socket) : stream(std::move(socket)) {}

    timed_stream stream;
    beast::flat_buffer buffer;
    bool waits = true; // for a request: may be closed to make room
};

tcp::acceptor bind_to(asio::io_context& io, const endpoint& where) {
    const auto words = "admin.address " + where.host + ":" + std::to_string(where.port) + ": ";
    const auto addresses = look_up_now(where);
    if (addresses.empty()) throw std::runtime_error(words + "the name does not resolve");
    tcp::endpoint local;
    local.resize(addresses.front().length);
    std::memcpy(local.data(), &addresses.front().storage, addresses.front().length);

    tcp::acceptor acceptor(io);
    error_code ec;
    acceptor.open(local.protocol(), ec);
    if (!ec) acceptor.set_option(tcp::acceptor::reuse_address(true), ec);
    if (!ec) acceptor.bind(local, ec);
    if (!ec) acceptor.listen(asio::socket_base::max_listen_connections, ec);
    if (ec) throw std::runtime_error(words + ec.message());
    return acceptor;
}

admin_answer plain(int status, std::string body) {
    admin_answer answer;
    answer.status = status;
    answer.body = std::move(body);
    return answer;
}

enum class afterwards : std::uint8_t { keep, close };

// The body last, unless HEAD asked.
std::string bytes_of(const http::request_header<>& asked, const admin_answer& answer, afterwards then) {
    const auto status = static_cast<http::status>(answer.status);
    const bool is_old = asked.version() < 11;
    std::string bytes = is_old ? "HTTP/1.0 " : "HTTP/1.1 ";
    const auto field = [&bytes](std::string_view name, std::string_view value) {
        bytes.append(name).append(": ").append(value).append("\r\n");
    };
    bytes.append(std::to_string(answer.status)).append(" ").append(http::obsolete_reason(status)).append("\r\n");
    field("Content-Type", answer.content_type);
    field("Cache-Control", "no-store");
    field("X-Content-Type-Options", "nosniff");
    for (const auto& [name, value] : answer.fields) field(name, value);
    field("Content-Length", std::to_string(answer.body.size()));
    if (then == afterwards::close)
        field("Connection", "close");
    else if (is_old)
        field("Connection", "keep-alive");
    bytes.append("\r\n");
    if (asked.method() != http::verb::head) bytes.append(answer.body);
    return bytes;
}

} // namespace

class admin::running : public std::enable_shared_from_this<running> {
public:
    running(asio::io_context& io, const endpoint& where, admin_source source, sidecar::log& log, limits at_most)
        : source_(std::move(source)),
          log_(log),
          limits_(at_most),
          acceptor_(bind_to(io, where)),
          pause_(io) {}

    void start() { spawn(accept(shared_from_this())); }

    void close() {
        closed_ = true;
        error_code ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        for (const auto& each : sessions_) each->stream.close();
    }

    std::uint16_t port() const {
        error_code ignored;
        return acceptor_.local_endpoint(ignored).port();
    }

private:
    static asio::awaitable<void> accept(std::shared_ptr<running> self) {
        while (!self->closed_) {
            auto [ec, socket] = co_await self->acceptor_.async_accept(as_tuple);
            if (self->closed_) co_return;
            if (ec) { // no descriptor left, most likely
                self->pause_.expires_after(std::chrono::milliseconds(100));
                co_await self->pause_.async_wait(as_tuple);
                continue;
            }
            if (self->sessions_.size() >= self->limits_.connections) self->make_room();
            self->sessions_.push_back(std::make_shared<session>(std::move(socket)));
            self->spawn(serve(self, self->sessions_.back()));
        }
    }

    static asio::awaitable<void> serve(std::shared_ptr<running> self, std::shared_ptr<session> of) {
        std::exception_ptr thrown;
        try {
            co_await self->exchange_all(*of);
        } catch (...) {
            thrown = std::current_exception();
        }
        self->sessions_.remove(of);
        if (thrown) std::rethrow_exception(thrown);
    }

    void make_room() {
        auto oldest = sessions_.begin();
        while (oldest != sessions_.end() && !(*oldest)->waits) ++oldest;
        if (oldest == sessions_.end()) oldest = sessions_.begin();
        (*oldest)->stream.close();
        sessions_.erase(oldest);
    }

    asio::awaitable<void> exchange_all(session& of) {
        for (;;) {
            http::request_parser<http::empty_body> parser;
            parser.header_limit(header_bytes_max);
            of.waits = true;
            const auto read_ec = co_await read_message(of.stream, of.buffer, parser, part_of_message::head, deadline());
            of.waits = false;
            const bool refused = is_the_clients_fault(read_ec);
            if (read_ec && !refused) co_return;

            const auto& head = parser.get().base();
            // A body is not read: its bytes would be taken for the next request.
            const bool keeps = !refused && parser.is_done() && parser.keep_alive();
            const auto then = keeps ? afterwards::keep : afterwards::close;
            const auto bytes = bytes_of(head, refused ? refusal(read_ec) : answer(head, of), then);
            if (const auto ec = co_await of.stream.write(bytes, deadline()); ec || !keeps) break;
        }
        of.stream.end_writing();
    }

    time_point deadline() const { return std::chrono::steady_clock::now() + limits_.timeout; }

    admin_answer answer(const http::request_header<>& head, const session& of) const {
        const auto hosts = head.count(http::field::host);
        if (hosts > 1 || (hosts == 0 && head.version() >= 11)) return plain(400, "expected one Host\n");
        if (hosts == 1 && !names_admin(head[http::field::host], names()))
            return plain(421, "a name that is not in admin.hosts; an address and localhost will do\n");
        if (head.target() == "/drain") return drain(head, of);
        return answer_admin(head.method_string(), head.target(), source_);
    }

    admin_answer drain(const http::request_header<>& head, const session& of) const {
        if (head.method() != http::verb::post) {
            auto refused = plain(405, "POST, by `sidecar drain`\n");
            refused.fields.emplace_back("Allow", "POST");
            return refused;
        }
        if (auto why = drain_refusal({head[command_field], of.stream.remote(), of.stream.local()}))
            return plain(403, std::move(*why));
        if (source_.drain) source_.drain();
        return plain(202, "draining\n");
    }

    const std::vector<std::string>& names() const {
        static const std::vector<std::string> none;
        return source_.hosts ? *source_.hosts() : none;
    }

    static bool is_the_clients_fault(const error_code& ec) {
        return ec && ec != http::error::end_of_stream && ec != http::error::partial_message &&
               ec.category() == http::make_error_code(http::error::bad_method).category();
    }

    static admin_answer refusal(const error_code& ec) {
        return plain(ec == http::error::header_limit ? 431 : 400, ec.message() + "\n");
    }

    void spawn(asio::awaitable<void> what) {
        asio::co_spawn(acceptor_.get_executor(), std::move(what),
                       [self = shared_from_this()](const std::exception_ptr& thrown) {
                           if (thrown) self->note(thrown);
                       });
    }

    void note(const std::exception_ptr& thrown) {
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            log_.line(log_level::error, "admin", {{"reason", e.what()}});
        }
    }

    const admin_source source_;
    sidecar::log& log_;
    const limits limits_;
    tcp::acceptor acceptor_;
    asio::steady_timer pause_;
    std::list<std::shared_ptr<session>> sessions_; // the longest there first
    bool closed_ = false;
};

admin::admin(asio::io_context& io, const endpoint& where, admin_source source, log& log, limits at_most)
    : running_(std::make_shared<running>(io, where, std::move(source), log, at_most)) {
    running_->start();
}

admin::~admin() { running_->close(); }

std::uint16_t admin::port() const noexcept { return running_->port(); }

} // namespace sidecar
