#include "proxy/control_plane/http_client.hpp"

#include "proxy/control_plane/awaiting.hpp"

#include "proxy/control_plane/http_reading.hpp"
#include "proxy/control_plane/timed_stream.hpp"
#include "sidecar/json_text.hpp"
#include "sidecar/message.hpp"

#include <boost/asio/ssl/error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <algorithm>
#include <optional>

namespace sidecar {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;

using answer_result = boost::system::result<http_answer, http_failure>;
using response_parser = http::response_parser<http::string_body>;

constexpr std::uint32_t answer_header_bytes_max = 16 * 1024;
constexpr int interim_answers_max = 8;

http_failure failed(poll_failure kind, std::string message) { return {kind, std::move(message), false}; }

http_failure timed_out(const std::string& doing) { return failed(poll_failure::timeout, doing + " took too long"); }

// An exchange that broke off. What the peer sent wrong is told from what it did not send.
http_failure lost(const std::string& doing, const error_code& ec) {
    if (ec == asio::error::timed_out) return timed_out(doing);
    if (ec == http::error::end_of_stream || ec == http::error::partial_message || ec == asio::error::eof ||
        ec == asio::ssl::error::stream_truncated)
        return failed(poll_failure::closed, doing + ": the connection was closed");
    if (ec.category() == http::make_error_code(http::error::bad_version).category())
        return failed(poll_failure::bad_http, doing + ": no valid HTTP: " + ec.message());
    return failed(poll_failure::closed, doing + ": " + ec.message());
}

std::string field_of(const http::response_header<>& head, http::field name) { return std::string(head[name]); }

http_answer head_of(const http::response_header<>& head) {
    http_answer answer;
    answer.status = static_cast<int>(head.result_int());
    answer.etag = field_of(head, http::field::etag);
    answer.content_type = field_of(head, http::field::content_type);
    answer.content_encoding = field_of(head, http::field::content_encoding);
    answer.location = field_of(head, http::field::location);
    answer.preference_applied = field_of(head, http::field::preference_applied);
    return answer;
}

} // namespace

class http_client::running {
public:
    running(asio::io_context& io, http_url url, std::string socket, std::string ca_file, std::size_t body_bytes_max)
        : io_(io),
          url_(std::move(url)),
          origin_(socket.empty() ? url_.origin : endpoint{"", 0, std::move(socket)}),
          ca_file_(std::move(ca_file)),
          body_bytes_max_(body_bytes_max),
          names_(io) {}

    asio::awaitable<answer_result> get(fields with, time_point connect_by, time_point answer_by) {
        cancelled_ = false;
        connect_by_ = connect_by;
        answer_by_ = answer_by;
        const std::string request = request_of(with);
        if (stream_ && !stream_->has_ended_or_sent()) { // a kept connection on which something has come is of no use
            auto answer = co_await exchange(request);
            if (answer || !nothing_heard_ || cancelled_ || answer.error().kind == poll_failure::timeout)
                co_return answer;
        }
        drop();
        auto not_connected = co_await connect();
        if (not_connected) co_return told(std::move(*not_connected));
        co_return co_await exchange(request);
    }

    // Closing ends what waits. The objects stay: a coroutine may be about to look at them.
    void cancel() {
        cancelled_ = true;
        if (names_timer_) names_timer_->cancel();
        if (stream_) stream_->close();
    }

private:
    void drop() {
        stream_.reset();
        buffer_.clear();
    }

    std::string request_of(const fields& with) const {
        std::string text = "GET " + url_.target + " HTTP/1.1\r\n";
        const auto is_host = [](const auto& field) { return iequals(field.first, "host"); };
        if (std::none_of(with.begin(), with.end(), is_host)) text += "Host: " + url_.host_field + "\r\n";
        for (const auto& [name, value] : with) text.append(name).append(": ").append(value).append("\r\n");
        return text + "\r\n";
    }

    http_failure told(http_failure why) const {
        why.cancelled = cancelled_;
        return why;
    }

    asio::awaitable<std::optional<http_failure>> connect() {
        const auto candidates = co_await addresses();
        http_failure why{poll_failure::name, "the name '" + url_.origin.host + "' does not resolve", false};
        auto left = static_cast<int>(candidates.size());
        for (const auto& candidate : candidates) {
            if (cancelled_) break;
            stream_ = std::make_shared<timed_stream>(io_);
            // One that swallows packets leaves time for the others.
            const auto now = std::chrono::steady_clock::now();
            const auto ec = co_await stream_->connect(candidate, now + (connect_by_ - now) / left--);
            if (!ec && !url_.tls) co_return std::nullopt;
            if (!ec) co_return co_await handshake();
            drop();
            const auto doing = "connecting to " + to_string(candidate);
            why = ec == asio::error::timed_out ? timed_out(doing)
                                               : failed(poll_failure::connect, doing + ": " + ec.message());
        }
        co_return why;
    }

    asio::awaitable<std::vector<socket_address>> addresses() {
        auto found = std::make_shared<std::vector<socket_address>>();
        auto timer = std::make_shared<asio::steady_timer>(io_, connect_by_);
        names_timer_ = timer;
        names_.start(origin_, [found, timer](std::vector<socket_address> answer) {
            *found = std::move(answer);
            timer->cancel();
        });
        co_await timer->async_wait(as_tuple);
        co_return std::move(*found);
    }

    asio::awaitable<std::optional<http_failure>> handshake() {
        timed_stream::expected_peer expected{url_.origin.host, !literal_address(url_.origin).empty(), ca_file_};
        const auto shaken = co_await stream_->start_tls(std::move(expected), connect_by_);
        if (!shaken.ec) co_return std::nullopt;
        drop();
        co_return shaken.ec == asio::error::timed_out ? timed_out("the TLS handshake")
                                                      : failed(poll_failure::tls, shaken.failure);
    }

    asio::awaitable<answer_result> exchange(const std::string& request) {
        nothing_heard_ = true;
        const auto stream = stream_; // stays while it is waited for
        auto answer = co_await exchange_on(*stream, request);
        if (!answer) drop();
        co_return answer;
    }

    asio::awaitable<answer_result> exchange_on(timed_stream& stream, const std::string& request) {
        if (const auto ec = co_await stream.write(request, answer_by_)) co_return told(lost("sending the request", ec));

        std::optional<response_parser> parser;
        for (int interim = 0; interim < interim_answers_max; ++interim) {
            parser.emplace();
            parser->header_limit(answer_header_bytes_max);
            parser->body_limit(boost::none); // looked at once the status is known
            const auto ec = co_await read_message(stream, buffer_, *parser, part_of_message::head, answer_by_);
            nothing_heard_ = nothing_heard_ && !parser->got_some() && buffer_.size() == 0;
            if (ec) co_return told(lost("waiting for the answer", ec));
            if (parser->get().result_int() / 100 != 1) break;
        }
        co_return co_await body_on(stream, *parser);
    }

    asio::awaitable<answer_result> body_on(timed_stream& stream, response_parser& parser) {
        auto answer = head_of(parser.get().base());
        if (answer.status != 200 && !parser.is_done()) {
            // Nobody reads it: the connection goes with it.
            drop();
            co_return answer;
        }
        if (parser.content_length_remaining().value_or(0) > body_bytes_max_) co_return too_large();
        parser.body_limit(body_bytes_max_);
        if (const auto length = parser.content_length_remaining()) // with room behind it, or its reader would copy it
            parser.get().body().reserve(static_cast<std::size_t>(*length) + json_padding);
        const auto ec = co_await read_message(stream, buffer_, parser, part_of_message::all, answer_by_);
        if (ec == http::error::body_limit) co_return too_large();
        if (ec) co_return told(lost("reading the answer", ec));
        answer.body = std::move(parser.get().body());
        if (!parser.keep_alive() || buffer_.size() != 0) drop();
        co_return answer;
    }

    http_failure too_large() const {
        return failed(poll_failure::too_large,
                      "the document is larger than status.max_document, " + std::to_string(body_bytes_max_) + " bytes");
    }

    asio::io_context& io_;
    const http_url url_;
    const endpoint origin_; // what is connected to
    const std::string ca_file_;
    const std::size_t body_bytes_max_;
    name_lookup names_;
    std::shared_ptr<asio::steady_timer> names_timer_;
    std::shared_ptr<timed_stream> stream_; // null: not connected
    beast::flat_buffer buffer_;
    time_point connect_by_;
    time_point answer_by_;
    bool cancelled_ = false;
    bool nothing_heard_ = true;
};

http_client::http_client(asio::io_context& io, http_url url, std::string socket, std::string ca_file,
                         std::size_t body_bytes_max)
    : running_(std::make_shared<running>(io, std::move(url), std::move(socket), std::move(ca_file), body_bytes_max)) {}

http_client::~http_client() { running_->cancel(); }

asio::awaitable<answer_result> http_client::get(fields with, time_point connect_by, time_point answer_by) {
    const auto self = running_; // outlives this object, should that go
    co_return co_await self->get(std::move(with), connect_by, answer_by);
}

void http_client::cancel() { running_->cancel(); }

} // namespace sidecar
