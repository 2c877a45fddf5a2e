// A small DDS to put the sidecar in front of: for the demo and for tests without Ruby. Prints {"port":N} when it
// listens. One thread for each connection, which a demo can afford.
#include "demo_dds.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/http/write.hpp>
#include <fmt/format.h>

#include <poll.h>

#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;

constexpr std::size_t connections_max = 256;
constexpr std::uint64_t body_bytes_max = 8U << 20U;
constexpr int idle_timeout_ms = 20'000; // Puma's

using wire_request = http::request<http::string_body>;
using wire_response = http::response<http::string_body>;

demo::request read_out(const wire_request& from) {
    demo::request to;
    to.method = std::string(from.method_string());
    const std::string target(from.target());
    const auto query = target.find('?');
    to.path = target.substr(0, query);
    if (query != std::string::npos) to.query = target.substr(query + 1);
    to.body = from.body();
    for (const auto& field : from) {
        std::string name(field.name_string());
        for (auto& c : name) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
        to.fields.insert_or_assign(name, std::string(field.value()));
    }
    return to;
}

// As rack-cors decorates every answer; a preflight never reaches the application.
void decorate(wire_response& response, const demo::request& request) {
    response.set("Vary", "Origin");
    const auto* origin = request.find("origin");
    response.set("X-Rack-CORS", origin != nullptr ? "hit" : "miss; no-origin");
    if (origin == nullptr) return;
    response.set("Access-Control-Allow-Origin", "*");
    response.set("Access-Control-Allow-Methods", "GET, POST, DELETE, PUT, OPTIONS, HEAD");
    response.set("Access-Control-Expose-Headers",
                 "X-Total, X-Total-Pages, X-Page, X-Per-Page, X-Next-Page, X-Prev-Page");
    response.set("Access-Control-Max-Age", "0");
}

bool is_preflight(const demo::request& request) {
    return request.method == "OPTIONS" && request.find("origin") != nullptr &&
           request.find("access-control-request-method") != nullptr;
}

wire_response respond(demo::dds& dds, const wire_request& from) {
    const auto request = read_out(from);
    const bool preflight = is_preflight(request);
    const auto answer = preflight ? demo::answer{} : dds.handle(request);
    wire_response response(static_cast<http::status>(answer.status), from.version());
    if (!answer.body.empty()) response.set(http::field::content_type, "application/json");
    for (const auto& [name, value] : answer.fields) response.set(name, value);
    decorate(response, request);
    if (const auto* asked = request.find("access-control-request-headers"); preflight && asked != nullptr)
        response.set("Access-Control-Allow-Headers", *asked);
    response.keep_alive(from.keep_alive());
    response.body() = answer.body;
    if (answer.status != 204 && answer.status != 304) response.content_length(answer.body.size());
    if (request.method == "HEAD") response.body().clear();
    return response;
}

// False: end the connection.
bool serve_one(demo::dds& dds, tcp::socket& socket, beast::flat_buffer& buffer) {
    pollfd readable{socket.native_handle(), POLLIN, 0};
    if (buffer.size() == 0 && ::poll(&readable, 1, idle_timeout_ms) <= 0) return false;
    http::request_parser<http::string_body> parser;
    parser.body_limit(body_bytes_max);
    beast::error_code ec;
    http::read_header(socket, buffer, parser, ec);
    if (ec) return false;
    if (beast::iequals(parser.get()[http::field::expect], "100-continue"))
        asio::write(socket, asio::buffer("HTTP/1.1 100 Continue\r\n\r\n", 25), ec);
    if (!ec) http::read(socket, buffer, parser, ec);
    if (ec) return false;
    const auto response = respond(dds, parser.get());
    http::write(socket, response, ec);
    return !ec && response.keep_alive();
}

void serve(demo::dds& dds, tcp::socket socket) try {
    beast::error_code ec;
    socket.set_option(tcp::no_delay(true), ec);
    beast::flat_buffer buffer;
    while (serve_one(dds, socket, buffer)) {
    }
    socket.shutdown(tcp::socket::shutdown_both, ec);
} catch (const std::exception& error) {
    fmt::print(stderr, "demo_backend: {}\n", error.what());
}

struct arguments {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0; // any
    double ready_after = 5; // seconds until what was created is ready
};

arguments read_arguments(int argc, char** argv) {
    arguments given;
    for (int i = 1; i < argc; i += 2) {
        const std::string_view name = argv[i];
        const std::string value = i + 1 < argc ? argv[i + 1] : "";
        if (name == "--address" && !value.empty())
            given.address = value;
        else if (name == "--port" && !value.empty())
            given.port = static_cast<std::uint16_t>(std::stoi(value));
        else if (name == "--ready-after" && !value.empty())
            given.ready_after = std::stod(value);
        else
            throw std::runtime_error("usage: demo_backend [--address A] [--port N] [--ready-after SECONDS]");
    }
    return given;
}

} // namespace

int main(int argc, char** argv) try {
    const auto given = read_arguments(argc, argv);
    asio::io_context context;
    tcp::acceptor acceptor(context, {asio::ip::make_address(given.address), given.port});
    fmt::print("{{\"port\":{}}}\n", acceptor.local_endpoint().port());
    std::fflush(stdout);

    demo::dds dds(std::chrono::milliseconds(static_cast<std::int64_t>(given.ready_after * 1000)));
    asio::thread_pool threads(connections_max); // more connections than these wait for their turn
    for (;;) {
        beast::error_code ec;
        tcp::socket socket(context);
        acceptor.accept(socket, ec);
        if (ec) // no descriptor left, most likely
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
        else
            asio::post(threads, [&dds, client = std::move(socket)]() mutable { serve(dds, std::move(client)); });
    }
} catch (const std::exception& error) {
    fmt::print(stderr, "demo_backend: {}\n", error.what());
    return 1;
}
