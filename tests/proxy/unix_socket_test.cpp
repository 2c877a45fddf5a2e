// A backend on a Unix socket (docs/behaviour.md 2.11): the same as by TCP.
#include "tests/harness/http_text.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <future>

namespace unix_socket_test {

using namespace harness;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

// Listens on a file in a folder of its own.
class unix_backend {
public:
    unix_backend() {
        std::string name = (fs::temp_directory_path() / "sidecar-XXXXXX").string();
        folder_ = ::mkdtemp(name.data());
        listen();
    }
    ~unix_backend() {
        refuse();
        fs::remove_all(folder_);
    }
    unix_backend(const unix_backend&) = delete;
    unix_backend& operator=(const unix_backend&) = delete;

    std::string path() const { return folder_ + "/puma.sock"; }
    void listen() {
        fs::remove(path()); // as Puma does with the file of one that is gone
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path().copy(address.sun_path, sizeof address.sun_path - 1);
        descriptor_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(descriptor_, 16) == 0);
    }
    void refuse() { ::close(std::exchange(descriptor_, -1)); }
    bool untouched() const {
        pollfd one{descriptor_, POLLIN, 0};
        return ::poll(&one, 1, 0) == 0;
    }
    wire accept() const {
        pollfd one{descriptor_, POLLIN, 0};
        REQUIRE(::poll(&one, 1, static_cast<int>(patience.count())) == 1);
        return {::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC), "backend"};
    }

private:
    std::string folder_;
    int descriptor_ = -1;
};

struct fixture {
    unix_backend backend;
    sidecar_under_test proxy{std::uint16_t{0}, [&](config& c) { c.upstream.address = {{}, 0, backend.path()}; }};
    wire client = proxy.connect();

    wire served(const std::string& request) {
        client.send(request);
        auto up = backend.accept();
        CHECK(up.receive(request.size()) == request);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
        return up;
    }
};

TEST_CASE_FIXTURE(fixture, "a backend on a Unix socket is forwarded to, and its connection kept") {
    auto up = served(get);
    for (const auto& request : {post, get, post}) {
        client.send(request);
        CHECK(up.receive(request.size()) == request);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }
    CHECK(backend.untouched());
}

TEST_CASE_FIXTURE(fixture, "large bodies pass a Unix socket both ways at once") {
    const std::string large(8 << 20, 'x');
    const auto length = "Content-Length: " + std::to_string(large.size()) + "\r\n\r\n";
    auto sent = std::async(std::launch::async, [&] { client.send("POST / HTTP/1.1\r\nHost: a\r\n" + length + large); });
    auto up = backend.accept();
    up.receive_head();
    auto answered = std::async(std::launch::async, [&] { up.send("HTTP/1.1 200 OK\r\n" + length + large); });
    client.receive_head();
    auto received = std::async(std::launch::async, [&] { return client.receive(large.size()) == large; });
    const bool same_up = up.receive(large.size()) == large;
    CHECK(same_up);
    CHECK(received.get());
    sent.get();
    answered.get();
}

TEST_CASE_FIXTURE(fixture,
                  "a backend that closes its Unix socket's connection with the request unread has not responded") {
    auto up = served(get);
    SUBCASE("a GET goes on another") {
        up.close();
        served(get);
    }
    SUBCASE("a POST is not sent twice") {
        client.send(post);
        CHECK_FALSE(up.stays_silent(patience)); // unread: its close is a reset
        up.close();
        CHECK(client.receive_rest().empty());
        CHECK(backend.untouched());
    }
}

TEST_CASE_FIXTURE(fixture, "a response that ends with its Unix socket is whole, one that breaks off is not") {
    client.send(get);
    auto up = backend.accept();
    up.receive_head();
    SUBCASE("until the end") {
        up.send("HTTP/1.1 200 OK\r\n\r\nhello");
        up.close();
        CHECK(client.receive_rest().ends_with("hello"));
        CHECK(client.ended() == ending::fin);
    }
    SUBCASE("a length") {
        up.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
        up.close();
        CHECK(client.receive_rest().ends_with("hello"));
    }
}

TEST_CASE_FIXTURE(fixture, "what a backend on a Unix socket has said in a tunnel before it closed still goes on") {
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    auto up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
    client.receive_head();
    const auto sent = up.send_until_stalled(std::string(50'000'000, 'x'), 20ms);
    up.close();
    CHECK(client.discard_rest() == sent);
    CHECK(client.ended() == ending::fin);
}

TEST_CASE_FIXTURE(fixture, "a Unix socket that nobody listens on is tried again for a while: a container restarts") {
    backend.refuse();
    client.send(post);
    SUBCASE("it comes back, with another file") {
        CHECK(client.stays_silent(50ms));
        backend.listen();
        auto up = backend.accept();
        CHECK(up.receive(post.size()) == post);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }
    SUBCASE("it does not") {
        const auto refusal = client.receive_answer();
        CHECK(status_of(refusal.head) == 503);
        CHECK(field_of(refusal.head, "Retry-After").has_value());
        backend.listen();
    }
    SUBCASE("there is not even a file") {
        fs::remove(backend.path());
        CHECK(status_of(client.receive_answer().head) == 503);
        backend.listen();
    }
}

} // namespace unix_socket_test
