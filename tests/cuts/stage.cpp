#include "tests/cuts/stage.hpp"

#include "proxy/control_plane/settings.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace cuts {

namespace {

namespace fs = std::filesystem;

int checked(int result, const char* what) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), what);
    return result;
}

// A fuzzer's alarm may interrupt it; the kernel then goes on connecting.
void connect_to(const sockaddr_storage& to, socklen_t length, int socket) {
    while (::connect(socket, reinterpret_cast<const sockaddr*>(&to), length) < 0) {
        if (errno == EISCONN) return;
        if (errno != EINTR) throw std::system_error(errno, std::generic_category(), "connect");
    }
}

int accept_from(int listener) { return ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC); }

sockaddr* generic(sockaddr_storage& address) { return reinterpret_cast<sockaddr*>(&address); }

int listening_tcp(sockaddr_storage& address, socklen_t& length) {
    const int made = checked(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    sockaddr_in loopback{};
    loopback.sin_family = AF_INET;
    loopback.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::memcpy(&address, &loopback, sizeof loopback);
    length = sizeof loopback;
    checked(::bind(made, generic(address), length), "bind");
    checked(::getsockname(made, generic(address), &length), "getsockname");
    checked(::listen(made, 128), "listen");
    return made;
}

} // namespace

end::end(end&& from) noexcept
    : descriptor_(std::exchange(from.descriptor_, -1)),
      received_(std::move(from.received_)),
      ended_(from.ended_) {}

end& end::operator=(end&& from) noexcept {
    close();
    descriptor_ = std::exchange(from.descriptor_, -1);
    received_ = std::move(from.received_);
    ended_ = from.ended_;
    return *this;
}

std::size_t end::send(std::string_view bytes) {
    if (descriptor_ < 0) return 0;
    const auto n = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return n > 0 ? static_cast<std::size_t>(n) : 0;
}

bool end::send_urgent(char byte) { return ::send(descriptor_, &byte, 1, MSG_NOSIGNAL | MSG_OOB) == 1; }

bool end::read() {
    if (descriptor_ < 0 || ended_ != ending::none) return false;
    std::array<char, 65536> block;
    const auto n = ::recv(descriptor_, block.data(), block.size(), 0);
    if (n > 0) {
        received_.append(block.data(), static_cast<std::size_t>(n));
        return true;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
    ended_ = n == 0 ? ending::fin : ending::reset;
    return true;
}

void end::end_writing() { ::shutdown(descriptor_, SHUT_WR); }

void end::reset() {
    const linger at_once{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
}

void end::close() noexcept {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

stage::stage(family of, const edit& edited, std::string_view document) : family_(of) {
    listen();
    log_descriptor_ = checked(::open("/dev/null", O_WRONLY | O_CLOEXEC), "open");
    log_ = std::make_unique<sidecar::log>(log_descriptor_);
    shared_.reset(new sidecar::shared{{}, board_, *log_});
    reconfigure(edited);
    publish(document);
    worker_ = std::make_unique<sidecar::worker>(*shared_, 0, std::vector<int>{});
}

stage::~stage() {
    worker_.reset();
    shared_.reset();
    log_.reset();
    for (const int each : {listener_, tcp_clients_, log_descriptor_})
        if (each >= 0) ::close(each);
    std::error_code ignored;
    if (!folder_.empty()) fs::remove_all(folder_, ignored);
}

void stage::listen() {
    if (family_ == family::tcp) {
        listener_ = listening_tcp(address_.storage, address_.length);
        sockaddr_storage unused{};
        socklen_t length = 0;
        tcp_clients_ = listening_tcp(unused, length);
        return;
    }
    folder_ = (fs::temp_directory_path() / "sidecar-XXXXXX").string();
    if (!::mkdtemp(folder_.data())) throw std::runtime_error("mkdtemp");
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = folder_ + "/backend";
    if (path.size() >= sizeof address.sun_path) throw std::runtime_error("the temporary folder's name is too long");
    std::memcpy(address.sun_path, path.data(), path.size());
    std::memcpy(&address_.storage, &address, sizeof address);
    address_.length = sizeof address;
    listener_ = checked(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), "socket");
    checked(::bind(listener_, generic(address_.storage), address_.length), "bind");
    checked(::listen(listener_, 128), "listen");
}

std::pair<int, int> stage::connected_pair() {
    if (family_ == family::unix_socket) {
        int ends[2];
        checked(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), "socketpair");
        return {ends[0], ends[1]};
    }
    sockaddr_storage to{};
    socklen_t length = sizeof to;
    checked(::getsockname(tcp_clients_, generic(to), &length), "getsockname");
    const int ours = checked(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
    connect_to(to, length, ours);
    ::fcntl(ours, F_SETFL, O_NONBLOCK);
    const int theirs = checked(accept_from(tcp_clients_), "accept");
    const int one = 1;
    for (const int each : {ours, theirs}) ::setsockopt(each, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return {ours, theirs};
}

end stage::connect_client() {
    const auto [ours, theirs] = connected_pair();
    worker_->adopt(theirs);
    return end(ours);
}

std::optional<end> stage::accept_backend() {
    const int accepted = accept_from(listener_);
    if (accepted < 0) return {};
    if (family_ == family::tcp) {
        const int one = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    return end(accepted);
}

void stage::skip(std::chrono::milliseconds by) {
    skipped_ += by;
    worker_->skip_time(by);
}

void stage::reconfigure(const edit& edited) {
    sidecar::config values;
    values.workers = 1;
    values.status.max_age = std::chrono::hours(10'000); // skipped time makes nothing unknown
    if (edited) edited(values);
    auto next = sidecar::make_settings(values, {1, 4096, {address_}, {}});
    board_.configure(next->rules.needs(), values.status.max_age, values.status.unlisted_means);
    shared_->current_settings.publish(std::move(next));
}

void stage::publish(std::string_view document) {
    auto read = sidecar::read_status(document, shared_->current_settings.get()->rules.needs());
    if (!read) throw std::runtime_error("the document: " + read.error().message);
    const auto now = std::chrono::steady_clock::now() + skipped_;
    board_.publish(std::make_shared<const sidecar::status_document>(std::move(*read)), now, now);
}

} // namespace cuts
