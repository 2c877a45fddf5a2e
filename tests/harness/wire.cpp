#include "tests/harness/wire.hpp"

#include "tests/harness/http_text.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

namespace harness {

namespace {

std::string said(int error) { return std::generic_category().message(error); }

void set(int descriptor, int level, int option, int value) {
    if (::setsockopt(descriptor, level, option, &value, sizeof value) != 0)
        throw std::runtime_error("setsockopt: " + said(errno));
}

} // namespace

std::string shown(std::string_view bytes) {
    static constexpr std::size_t shown_max = 1200;
    static constexpr std::string_view hex = "0123456789abcdef";
    std::string out = "\"";
    for (const char c : bytes.substr(0, shown_max)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '\r')
            out += "\\r";
        else if (c == '\n')
            out += "\\n";
        else if (byte < 0x20 || byte >= 0x7f)
            out.append("\\x") += {hex[byte >> 4], hex[byte & 15]};
        else
            out += c;
    }
    return out + "\"" + (bytes.size() > shown_max ? ".. (" + std::to_string(bytes.size()) + " bytes)" : "");
}

wire::wire(int descriptor, std::string_view name) : descriptor_(descriptor), name_(name) {
    int domain = 0;
    socklen_t length = sizeof domain;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_DOMAIN, &domain, &length);
    if (domain != AF_UNIX) set(descriptor_, IPPROTO_TCP, TCP_NODELAY, 1);
}

wire::wire(wire&& from) noexcept
    : descriptor_(std::exchange(from.descriptor_, -1)),
      name_(std::move(from.name_)),
      received_(std::move(from.received_)),
      ended_(from.ended_),
      reset_seen_(from.reset_seen_) {}

wire& wire::operator=(wire&& from) noexcept {
    close();
    descriptor_ = std::exchange(from.descriptor_, -1);
    name_ = std::move(from.name_);
    received_ = std::move(from.received_);
    ended_ = from.ended_;
    reset_seen_ = from.reset_seen_;
    return *this;
}

wire wire::connect(std::uint16_t port, int receive_buffer) {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw std::runtime_error("socket: " + said(errno));
    wire made(descriptor, "client");
    if (receive_buffer) set(descriptor, SOL_SOCKET, SO_RCVBUF, receive_buffer);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("connect to port " + std::to_string(port) + ": " + said(errno));
    return made;
}

wire wire::connect(const std::string& unix_socket) {
    const int descriptor = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) throw std::runtime_error("socket: " + said(errno));
    wire made(descriptor, "client");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    unix_socket.copy(address.sun_path, sizeof address.sun_path - 1);
    if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        throw std::runtime_error("connect to " + unix_socket + ": " + said(errno));
    return made;
}

void wire::send(std::string_view bytes) {
    const auto size = bytes.size();
    if (!try_send(bytes)) fail("the other side ended while " + std::to_string(size) + " bytes were sent");
}

bool wire::try_send(std::string_view bytes) {
    const auto until = clock::now() + patience;
    while (!bytes.empty()) {
        const auto n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            bytes.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EAGAIN && errno != EINTR) {
            // The error is taken off the socket; what is read behind it looks like an orderly end.
            if (errno == ECONNRESET) reset_seen_ = true;
            return false;
        } else if (!wait(POLLOUT, until))
            fail("the other side takes no more: " + std::to_string(bytes.size()) + " bytes are left to send");
    }
    return true;
}

void wire::send_bytewise(std::string_view bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        send(bytes.substr(i, 1));
        std::this_thread::yield();
    }
}

std::size_t wire::send_until_stalled(std::string_view bytes, milliseconds stall) {
    std::size_t sent = 0;
    while (sent < bytes.size()) {
        const auto n = ::send(descriptor_, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            sent += static_cast<std::size_t>(n);
        else if (errno != EAGAIN && errno != EINTR)
            fail("the other side ended while it was sent to");
        else if (!wait(POLLOUT, clock::now() + stall))
            break;
    }
    return sent;
}

void wire::send_what_goes(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n <= 0) return;
        bytes.remove_prefix(static_cast<std::size_t>(n));
    }
}

std::string wire::receive(std::size_t size) {
    const auto until = clock::now() + patience;
    while (received_.size() < size)
        if (!read_some(until, std::to_string(size) + " bytes")) fail("ended before " + std::to_string(size) + " bytes");
    return take(size);
}

std::string wire::receive_until(std::string_view delimiter) {
    const auto until = clock::now() + patience;
    std::size_t searched = 0;
    while (true) {
        const auto found = received_.find(delimiter, searched);
        if (found != std::string::npos) return take(found + delimiter.size());
        searched = received_.size() < delimiter.size() ? 0 : received_.size() - delimiter.size();
        if (!read_some(until, shown(delimiter))) fail("ended before " + shown(delimiter));
    }
}

message wire::receive_message(kind of_which) {
    message whole;
    whole.head = receive_head();
    const int status = status_of(whole.head);
    const bool never_a_body = of_which == kind::answer_to_head ||
                              (of_which == kind::answer && (status < 200 || status == 204 || status == 304));
    if (never_a_body) return whole;
    if (field_of(whole.head, "Transfer-Encoding")) {
        const auto until = clock::now() + patience;
        while (!chunked_size(received_))
            if (!read_some(until, "the last chunk")) fail("ended before the last chunk");
        whole.body = take(*chunked_size(received_));
    } else if (const auto length = field_of(whole.head, "Content-Length")) {
        whole.body = receive(std::stoul(*length));
    } else if (of_which == kind::answer) {
        whole.body = receive_rest();
    }
    return whole;
}

std::string wire::receive_502_or_rest() {
    std::string head = receive_head();
    if (head.starts_with("HTTP/1.1 502 ")) return head;
    return head += receive_rest();
}

std::string wire::receive_rest() {
    auto until = clock::now() + patience;
    while (read_some(until, "the end")) {
    }
    return take(received_.size());
}

std::size_t wire::discard_rest() {
    std::size_t size = 0;
    do {
        size += take(received_.size()).size();
    } while (read_some(clock::now() + patience, "the end"));
    return size;
}

bool wire::stays_silent(milliseconds duration) { return received_.empty() && !wait(POLLIN, clock::now() + duration); }

bool wire::has_something() { return !received_.empty() || wait(POLLIN, clock::now()); }

bool wire::has_bytes() {
    char byte = 0;
    return !received_.empty() || ::recv(descriptor_, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0;
}

void wire::end_writing() { ::shutdown(descriptor_, SHUT_WR); }

void wire::reset() {
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

void wire::close() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

bool wire::wait(short events, clock::time_point until) const {
    while (true) {
        const auto left = std::chrono::ceil<milliseconds>(until - clock::now());
        pollfd one{descriptor_, events, 0};
        const int n = ::poll(&one, 1, static_cast<int>(std::max<milliseconds::rep>(left.count(), 0)));
        if (n > 0) return true;
        if (n == 0) return false;
    }
}

bool wire::read_some(clock::time_point until, std::string_view awaited) {
    if (ended_ != ending::none) return false;
    if (descriptor_ < 0) fail("closed by the test itself");
    if (!wait(POLLIN, until)) fail(std::string("waited in vain for ").append(awaited));
    std::array<char, 65536> block;
    const auto n = ::recv(descriptor_, block.data(), block.size(), MSG_DONTWAIT);
    if (n > 0) {
        received_.append(block.data(), static_cast<std::size_t>(n));
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    ended_ = n == 0 && !reset_seen_ ? ending::fin : ending::reset;
    return false;
}

void wire::fail(std::string_view what) const {
    throw std::runtime_error(std::string(name_).append(": ").append(what).append("; has ").append(shown(received_)));
}

std::string wire::take(std::size_t size) {
    std::string taken;
    if (size == received_.size()) {
        taken.swap(received_);
    } else {
        taken = received_.substr(0, size);
        received_.erase(0, size);
    }
    return taken;
}

} // namespace harness
