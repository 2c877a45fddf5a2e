// Bodies large enough to pass within the kernel: the same bytes, the same ends, and so many pipes and no more.
#include "tests/harness/http_text.hpp"
#include "tests/harness/scripted_backend.hpp"
#include "tests/harness/sidecar_under_test.hpp"

#include <doctest/doctest.h>

#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <future>
#include <vector>

using namespace harness;
using namespace std::chrono_literals;

namespace {

const std::string get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
constexpr std::size_t size = 3 << 20;

// No two stretches alike.
std::string payload(std::size_t bytes = size) {
    std::string made(bytes, '\0');
    std::uint32_t state = 1;
    for (auto& c : made) c = static_cast<char>((state = state * 1664525 + 1013904223) >> 24);
    return made;
}

std::string with_length(const std::string& first_line, const std::string& body) {
    return first_line + "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

std::string with_chunks(const std::string& first_line, const std::string& body, std::size_t chunk) {
    auto framed = chunked(body, chunk);
    framed.insert(framed.size() - 2, "X-Sum: 1\r\n");
    return first_line + "\r\nTransfer-Encoding: chunked\r\n\r\n" + framed;
}

const std::string post = "POST / HTTP/1.1\r\nHost: a";

// Their ends, in this process.
std::size_t open_pipes() {
    std::size_t found = 0;
    std::error_code gone;
    for (const auto& each : std::filesystem::directory_iterator("/proc/self/fd"))
        if (std::filesystem::read_symlink(each, gone).string().starts_with("pipe:")) ++found;
    return found;
}

struct fixture {
    explicit fixture(std::size_t pipes = 128)
        : proxy(backend, [pipes](config& c) {
              c.pipes_max = pipes;
              c.admin.address = sidecar::endpoint{"127.0.0.1", 0};
          }) {}

    std::uint64_t metric(const std::string& name) const {
        auto operators = wire::connect(proxy.admin_port());
        operators.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
        const auto text = operators.receive_answer().body;
        const auto at = text.find("\n" + name + " ");
        if (at == std::string::npos) throw std::runtime_error("no metric " + name);
        std::uint64_t value = 0;
        const char* const digits = text.data() + at + name.size() + 2;
        std::from_chars(digits, text.data() + text.size(), value);
        return value;
    }
    std::uint64_t spliced() const { return metric("sidecar_body_spliced_bytes_total"); }

    // Both are large, and neither side reads before the other has written.
    void passes(const std::string& request, const std::string& answer) {
        auto sent = std::async(std::launch::async, [&] { client.send(request); });
        up = backend.accept();
        const bool same_up = up.receive(request.size()) == request;
        CHECK(same_up);
        sent.get();
        auto answered = std::async(std::launch::async, [&] { up.send(answer); });
        const bool same_down = client.receive(answer.size()) == answer;
        CHECK(same_down);
        answered.get();
    }
    void check_next_exchange() {
        client.send(get);
        backend.await_request(up);
        CHECK(up.receive_head() == get);
        up.send(ok);
        CHECK(client.receive(ok.size()) == ok);
    }

    // A client that has asked for a large answer and reads nothing of it; the backend has sent what goes.
    struct stalled {
        wire client, up;
        std::size_t sent = 0;
    };
    stalled stall() {
        stalled made{proxy.connect(16 << 10), {}};
        made.client.send(get);
        made.up = backend.accept();
        made.up.receive_head();
        for (auto before = spliced() + 1; before != spliced();) { // until not even a slow machine moves more
            before = spliced();
            made.sent += made.up.send_until_stalled(rest_for(made), 100ms);
        }
        CHECK(made.sent < huge_answer.size());
        return made;
    }
    std::string_view rest_for(const stalled& one) const { return std::string_view(huge_answer).substr(one.sent); }
    void finish(stalled& one) const {
        auto sent = std::async(std::launch::async, [&] { one.up.send(rest_for(one)); });
        const bool same = one.client.receive_answer().body == body;
        CHECK(same);
        sent.get();
    }

    std::string body = payload(24 << 20); // more than sockets hold
    std::string huge_answer = with_length("HTTP/1.1 200 OK", body);
    scripted_backend backend;
    sidecar_under_test proxy;
    wire client = proxy.connect();
    wire up;
};

} // namespace

TEST_CASE_FIXTURE(fixture, "a large body passes byte for byte, and the connections are in step afterwards") {
    const auto large = payload();
    const std::string line = "HTTP/1.1 200 OK";
    bool within = true; // how much of it passes within the kernel is a matter of how it comes
    SUBCASE("an answer with a length") { passes(get, with_length(line, large)); }
    SUBCASE("an answer in large chunks") { passes(get, with_chunks(line, large, 700'000)); }
    SUBCASE("an answer in small chunks, which are read") {
        passes(get, with_chunks(line, large, 20'000));
        within = false;
    }
    SUBCASE("an upload with a length") { passes(with_length(post, large), ok); }
    SUBCASE("an upload in large chunks") { passes(with_chunks(post, large, 700'000), ok); }
    SUBCASE("both") { passes(with_length(post, large), with_length(line, large)); }
    check_next_exchange();
    CHECK((spliced() > 0) == within);
}

TEST_CASE_FIXTURE(fixture, "a large answer until the end passes whole, also to a client of HTTP/1.0") {
    const auto large = payload();
    std::string request = get;
    std::string answer = "HTTP/1.1 200 OK\r\n\r\n" + large;
    bool within = true;
    SUBCASE("until the end") {}
    SUBCASE("chunks taken off") {
        request = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";
        answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(large, 700'000);
        within = false; // what is left out must be read
    }
    client.send(request);
    up = backend.accept();
    up.receive_head();
    auto answered = std::async(std::launch::async, [&] {
        up.send(answer);
        up.close();
    });
    client.receive_head();
    const bool same = client.receive_rest() == large;
    CHECK(same);
    CHECK(client.ended() == ending::fin);
    answered.get();
    CHECK((spliced() > 0) == within);
}

TEST_CASE_FIXTURE(fixture, "large bodies run both ways at once") {
    const auto large = payload();
    const auto request = with_length(post, large);
    auto sent = std::async(std::launch::async, [&] { client.send(request); });
    up = backend.accept();
    up.receive_head();
    up.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    auto echoed = std::async(std::launch::async, [&] {
        for (std::size_t at = 0; at < size;) {
            const auto piece = up.receive(std::min<std::size_t>(100'000, size - at));
            up.send(piece);
            at += piece.size();
        }
    });
    sent.get();
    const bool same = client.receive_answer().body == large;
    CHECK(same);
    echoed.get();
    CHECK(spliced() > 0);
}

TEST_CASE_FIXTURE(fixture, "a body that goes wrong behind a large chunk is still found out") {
    client.send(get);
    up = backend.accept();
    up.receive_head();
    auto bytes = with_chunks("HTTP/1.1 200 OK", payload(), 700'000);
    bytes[bytes.find("aae60\r\n", 700'000) - 1] = 'x'; // the second chunk's line does not begin behind CRLF
    auto sent = std::async(std::launch::async, [&] { return up.try_send(bytes); });
    CHECK(client.discard_rest() < bytes.size());
    sent.get();
    CHECK(spliced() > 0);
}

// An urgent byte is no part of the body, and stands in the way of every read: splice(2) gets past it only to say that
// this was the end.
TEST_CASE_FIXTURE(fixture, "an urgent byte within a body neither stops nor ends it") {
    const auto large = payload();
    const auto half = large.size() / 2;
    const auto send_with_urgent_byte = [&](wire& to, const std::string& head) {
        to.send(head + large.substr(0, half));
        CHECK(::send(to.descriptor(), "!", 1, MSG_OOB) == 1);
        to.send(large.substr(half));
    };
    SUBCASE("an upload") {
        auto sent = std::async(std::launch::async, [&] {
            send_with_urgent_byte(client, post + "\r\nContent-Length: " + std::to_string(large.size()) + "\r\n\r\n");
        });
        up = backend.accept();
        const bool same = up.receive_request().body == large;
        CHECK(same);
        sent.get();
    }
    SUBCASE("an answer until the end") {
        client.send(get);
        up = backend.accept();
        up.receive_head();
        auto sent = std::async(std::launch::async, [&] {
            send_with_urgent_byte(up, "HTTP/1.1 200 OK\r\n\r\n");
            up.close();
        });
        client.receive_head();
        const bool same = client.receive_rest() == large;
        CHECK(same);
        CHECK(client.ended() == ending::fin);
        sent.get();
    }
}

TEST_CASE_FIXTURE(fixture, "an urgent byte within a small body does not stop it") {
    client.send(post + "\r\nContent-Length: 10\r\n\r\n");
    up = backend.accept();
    up.receive_head();
    client.send("abc");
    CHECK(::send(client.descriptor(), "!", 1, MSG_OOB) == 1);
    client.send("defghij");
    CHECK(up.receive(10) == "abcdefghij");
}

TEST_CASE_FIXTURE(fixture, "who leaves within a large body ends that exchange and no other") {
    SUBCASE("the client, within its answer") {
        auto gone = stall();
        gone.client.reset();
        CHECK_FALSE(gone.up.try_send(rest_for(gone)));
    }
    SUBCASE("the backend, within its answer") {
        auto gone = stall();
        gone.up.close();
        CHECK(gone.client.discard_rest() < body.size());
    }
    SUBCASE("the backend, within an upload") {
        const auto request = with_length(post, body);
        auto gone = proxy.connect();
        auto sent = std::async(std::launch::async, [&] { return gone.try_send(request); });
        auto backend_end = backend.accept();
        backend_end.receive(100'000);
        backend_end.reset();
        CHECK_FALSE(sent.get());
    }
    SUBCASE("the client, within an upload") {
        auto gone = proxy.connect();
        gone.send(with_length(post, body).substr(0, 1 << 20));
        auto backend_end = backend.accept();
        gone.reset();
        CHECK(backend_end.discard_rest() < body.size());
    }
    passes(get, with_length("HTTP/1.1 200 OK", payload()));
}

TEST_CASE("max_pipes bounds how many are held; who finds none has its bytes copied") {
    const auto before = open_pipes();
    fixture f(1);
    std::vector<fixture::stalled> several; // one of them waits with its bytes in the pipe, which others would want
    while (several.size() < 10 && f.metric("sidecar_pipes_used_up_total") == 0) several.push_back(f.stall());
    CHECK(f.metric("sidecar_pipes_used_up_total") > 0);
    CHECK(open_pipes() == before + 2);
    for (auto& each : several) f.finish(each);
}

TEST_CASE("max_pipes: 0 copies all") {
    fixture f(0);
    f.passes(with_length(post, payload()), with_length("HTTP/1.1 200 OK", payload()));
    f.check_next_exchange();
    CHECK(f.spliced() == 0);
    CHECK(f.metric("sidecar_pipes_used_up_total") == 0);
}

TEST_CASE_FIXTURE(fixture, "pipes are closed when nobody needs so many") {
    const auto before = open_pipes();
    constexpr std::size_t kept = 16;
    {
        std::vector<stalled> many;
        while (many.size() < 40 && open_pipes() <= before + 2 * kept) many.push_back(stall());
        CHECK(open_pipes() > before + 2 * kept);
    }
    const auto until = std::chrono::steady_clock::now() + patience;
    while (open_pipes() > before + 2 * kept) REQUIRE(std::chrono::steady_clock::now() < until);
}
