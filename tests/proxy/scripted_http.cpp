#include "tests/proxy/scripted_http.hpp"

#include <openssl/ssl.h>

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <stdexcept>
#include <string_view>

namespace sidecar::testing {
namespace {

// One connection's bytes, plain or not.
class wire {
public:
    wire(int socket, ssl_ctx_st* context) : socket_(socket) {
        if (!context) return;
        tls_.reset(::SSL_new(context), ::SSL_free);
        ::SSL_set_fd(tls_.get(), socket);
        good_ = ::SSL_accept(tls_.get()) == 1;
    }

    bool good() const { return good_; }

    long read(char* to, std::size_t bytes) {
        return tls_ ? ::SSL_read(tls_.get(), to, static_cast<int>(bytes)) : ::recv(socket_, to, bytes, 0);
    }

    bool write(std::string_view bytes) {
        while (!bytes.empty()) {
            const auto n = tls_ ? ::SSL_write(tls_.get(), bytes.data(), static_cast<int>(bytes.size()))
                                : ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
            if (n <= 0) return false;
            bytes.remove_prefix(static_cast<std::size_t>(n));
        }
        return true;
    }

private:
    int socket_;
    std::shared_ptr<SSL> tls_;
    bool good_ = true;
};

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

} // namespace

scripted_http::scripted_http(script by, std::uint16_t port, const std::string& certificate, const std::string& key)
    : script_(std::move(by)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    if (!certificate.empty()) {
        ::signal(SIGPIPE, SIG_IGN); // OpenSSL writes without MSG_NOSIGNAL
        tls_.reset(::SSL_CTX_new(::TLS_server_method()), ::SSL_CTX_free);
        if (::SSL_CTX_use_certificate_chain_file(tls_.get(), certificate.c_str()) != 1 ||
            ::SSL_CTX_use_PrivateKey_file(tls_.get(), key.c_str(), SSL_FILETYPE_PEM) != 1)
            throw std::runtime_error("the test's certificate can't be used");
    }
    const int on = 1;
    ::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    auto address = loopback(port);
    socklen_t length = sizeof address;
    if (::bind(listener_, reinterpret_cast<const sockaddr*>(&address), length) != 0 || ::listen(listener_, 64) != 0)
        throw std::runtime_error("the test's server can't listen");
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
}

scripted_http::~scripted_http() {
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    acceptor_.join();
    {
        std::lock_guard lock(mutex_);
        for (const int each : sockets_) ::shutdown(each, SHUT_RDWR);
    }
    for (auto& each : threads_) each.join();
    for (const int each : sockets_) ::close(each);
    ::close(listener_);
}

void scripted_http::accept_all() {
    while (!stopping_) {
        const int socket = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
        if (socket < 0) return;
        ++connections_;
        std::lock_guard lock(mutex_);
        sockets_.push_back(socket);
        threads_.emplace_back([this, socket] { serve(socket); });
    }
}

void scripted_http::serve(int socket) {
    wire to(socket, tls_.get());
    std::string buffer;
    while (to.good() && !stopping_) {
        const auto end = buffer.find("\r\n\r\n");
        if (end == std::string::npos) {
            char bytes[4096];
            const auto n = to.read(bytes, sizeof bytes);
            if (n <= 0) break;
            buffer.append(bytes, static_cast<std::size_t>(n));
            continue;
        }
        const auto head = buffer.substr(0, end + 4);
        buffer.erase(0, end + 4);
        {
            std::lock_guard lock(mutex_);
            requests_.push_back(head);
        }
        const auto said = script_(head);
        if (!to.write(said.bytes) || said.then_close) break;
    }
    ::shutdown(socket, SHUT_RDWR);
}

std::string scripted_http::url(const std::string& path) const {
    return (tls_ ? "https://localhost:" : "http://127.0.0.1:") + std::to_string(port_) + path;
}

std::vector<std::string> scripted_http::requests() const {
    std::lock_guard lock(mutex_);
    return requests_;
}

std::size_t scripted_http::requests_count() const {
    std::lock_guard lock(mutex_);
    return requests_.size();
}

std::string field(const std::string& head, const std::string& name) {
    const auto at = head.find("\r\n" + name + ": ");
    if (at == std::string::npos) return {};
    const auto value = at + name.size() + 4;
    return head.substr(value, head.find("\r\n", value) - value);
}

scripted_http::answer json(const std::string& body, const std::string& etag, const std::string& more_fields) {
    std::string text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n" + more_fields;
    if (!etag.empty()) text += "ETag: " + etag + "\r\n";
    return {text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body};
}

scripted_http::answer status(int code, const std::string& more_fields) {
    const std::string length = code == 304 ? "" : "Content-Length: 0\r\n";
    return {"HTTP/1.1 " + std::to_string(code) + " Said\r\n" + more_fields + length + "\r\n"};
}

} // namespace sidecar::testing
