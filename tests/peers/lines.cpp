#include "tests/peers/lines.hpp"

#include "tests/harness/http_text.hpp"
#include "tests/harness/play.hpp"

#include <chrono>
#include <stdexcept>
#include <string_view>

namespace peers {

namespace {

using namespace harness;
using namespace std::chrono_literals;
using namespace std::string_literals;

const std::string good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

struct exchange {
    outcome seen;
    milliseconds lasted{};
};

exchange run(std::uint16_t proxy, listener& backend, std::string_view request, std::string_view answered = good) {
    while (backend.has_connection()) backend.accept(); // of an exchange before
    play script{request, answered, then::keep, {}, 1500ms};
    script.enough = [&](const outcome& so_far) {
        return so_far.client_ended != ending::none || so_far.at_client.ends_with("ok");
    };
    const auto started = std::chrono::steady_clock::now();
    exchange done{script.run(proxy, backend), {}};
    done.lasted = std::chrono::duration_cast<milliseconds>(std::chrono::steady_clock::now() - started);
    return done;
}

// The statuses that the client got, interim ones too.
std::string statuses(std::string_view bytes) {
    std::string all;
    for (auto at = bytes.find("HTTP/1."); at != bytes.npos; at = bytes.find("HTTP/1.", at + 1))
        all += (all.empty() ? "" : ", ") + std::to_string(status_of(bytes.substr(at)));
    return all.empty() ? "no answer" : all;
}

// Of what was not passed on: the status, and whether it took its time.
std::string refusal(const exchange& done) {
    const bool at_once = done.lasted < 500ms;
    if (done.seen.at_client.empty())
        return done.seen.client_ended == ending::none ? "waits" : at_once ? "closed at once" : "closed after a wait";
    return statuses(done.seen.at_client) + (at_once ? " at once" : " after a wait");
}

std::string line_of(std::string_view head, std::string_view name) {
    const auto value = field_of(head, name);
    return value ? std::string(name) + ": " + *value : "no " + std::string(name);
}

bool is_passed(const exchange& done) { return done.seen.at_backend.find("\r\n\r\n") != std::string::npos; }

std::string passed_or_refused(std::uint16_t proxy, listener& backend, std::string_view request) {
    const auto done = run(proxy, backend, request);
    return is_passed(done) && status_of(done.seen.at_client) == 200 ? "passes" : refusal(done);
}

std::string request_of(std::string_view target, std::string_view fields = "") {
    return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n";
}

std::string chunked_post(std::string_view body, std::string_view fields = "Transfer-Encoding: chunked\r\n") {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string count_refused(std::uint16_t proxy, listener& backend, const std::vector<std::string>& requests) {
    std::size_t refused = 0;
    for (const auto& request : requests) {
        const auto done = run(proxy, backend, request);
        refused += status_of(done.seen.at_client) != 200 ? 1 : 0;
    }
    return std::to_string(refused) + " of " + std::to_string(requests.size()) + " refused";
}

std::string with_host(const std::string& host) { return "GET / HTTP/1.1\r\nHost: " + host + "\r\n\r\n"; }

std::string trailers_of(std::string_view body) {
    std::string names;
    for (const auto* const name : {"X-Sum", "Set-Cookie", "Content-Type"})
        if (field_of(std::string("x\r\n") + std::string(body), name))
            names += (names.empty() ? "" : ", ") + std::string(name);
    return names.empty() ? "passes without trailers" : "passes with " + names;
}

// On one client connection, one request after the other; whether the second came on the backend connection of the
// first.
std::string second_on_same(std::uint16_t proxy, listener& backend, std::string_view first, std::string_view second) {
    while (backend.has_connection()) backend.accept();
    auto client = wire::connect(proxy);
    client.send(first);
    auto one = backend.accept();
    one.receive_request();
    one.send(good);
    client.receive_answer();
    client.send(second);
    const auto until = std::chrono::steady_clock::now() + patience;
    while (std::chrono::steady_clock::now() < until) {
        if (one.has_bytes()) return "on the kept connection";
        if (backend.has_connection()) return "on a fresh connection";
    }
    return "not at all";
}

std::string half_close_within_upload(std::uint16_t proxy, listener& backend) {
    while (backend.has_connection()) backend.accept();
    auto client = wire::connect(proxy);
    client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello");
    auto one = backend.accept();
    one.receive_head();
    one.send("HTTP/1.1 413 Too Large\r\nContent-Length: 10\r\n\r\nhello");
    client.receive_until("\r\n\r\nhello");
    client.end_writing();
    client.stays_silent(100ms);
    one.try_send("world");
    const auto rest = client.receive_rest();
    return rest == "world" ? "the answer ends" : client.ended() == ending::reset ? "reset" : "cut";
}

template <class Function>
std::function<std::string(std::uint16_t, listener&)> of(Function function) {
    return [function](std::uint16_t proxy, listener& backend) -> std::string {
        try {
            return function(proxy, backend);
        } catch (const std::runtime_error&) {
            return "no answer";
        }
    };
}

line refused(std::string name, std::string wanted, const std::string& request) {
    return {std::move(name), std::move(wanted),
            of([request](auto proxy, auto& backend) { return passed_or_refused(proxy, backend, request); })};
}

// `field` as it arrives at the backend.
line field_at_backend(std::string name, std::string wanted, const std::string& request,
                      const std::vector<std::string>& fields) {
    return {std::move(name), std::move(wanted), of([request, fields](auto proxy, auto& backend) {
                const auto done = run(proxy, backend, request);
                if (!is_passed(done)) return refusal(done);
                std::string all;
                for (const auto& field : fields)
                    all += (all.empty() ? "" : ", ") + line_of(done.seen.at_backend, field);
                const auto port = std::to_string(backend.port());
                if (const auto at = all.find(port); at != all.npos) all.replace(at, port.size(), "PORT");
                return all;
            })};
}

std::vector<line> legal() {
    return {
        {"a `100` with `Content-Length: 0` before the answer", "100, 200", of([](auto proxy, auto& backend) {
             return statuses(
                 run(proxy, backend, request_of("/"), "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\n\r\n" + good)
                     .seen.at_client);
         })},
        {"bytes from 0x80 in a target", "as sent", of([](auto proxy, auto& backend) {
             const auto done = run(proxy, backend, request_of("/x?name_contains=M\xc3\xbcller"));
             if (!is_passed(done)) return refusal(done);
             return done.seen.at_backend.starts_with("GET /x?name_contains=M\xc3\xbcller HTTP/1.1\r\n") ? "as sent"s
                                                                                                        : "changed"s;
         })},
        field_at_backend("HTTP/1.0 without `Host`", "Host: 127.0.0.1:PORT", "GET / HTTP/1.0\r\n\r\n", {"Host"}),
        refused("a head with bare LF", "400 at once", "GET / HTTP/1.1\nHost: a\n\n"),
        refused("a bare LF in a head that does not end", "400 at once", "GET / HTTP/1.1\nHost: a"),
        refused("a TLS hello", "400 at once", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s),
        {"trailers `X-Sum`, `Set-Cookie`, `Content-Type` of a request", "passes with X-Sum",
         of([](auto proxy, auto& backend) {
             const auto done =
                 run(proxy, backend,
                     chunked_post("5\r\nhello\r\n0\r\nX-Sum: 1\r\nSet-Cookie: a\r\nContent-Type: b\r\n\r\n"));
             if (!is_passed(done) || status_of(done.seen.at_client) != 200) return refusal(done);
             return trailers_of(done.seen.at_backend.substr(done.seen.at_backend.find("\r\n\r\n") + 4));
         })},
        {"the same of an answer", "passes with X-Sum", of([](auto proxy, auto& backend) {
             const auto done =
                 run(proxy, backend, request_of("/"),
                     "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n"
                     "Set-Cookie: a\r\nContent-Type: b\r\n\r\n");
             if (status_of(done.seen.at_client) != 200) return refusal(done);
             return trailers_of(done.seen.at_client.substr(done.seen.at_client.find("\r\n\r\n") + 4));
         })},
        field_at_backend("`TE: trailers, gzip`", "TE: trailers, Connection: TE",
                         request_of("/", "TE: trailers, gzip\r\nConnection: TE\r\n"), {"TE", "Connection"}),
        {"`GET` with `Content-Length: 0` behind a `GET`", "on the kept connection", of([](auto proxy, auto& backend) {
             return second_on_same(proxy, backend, request_of("/"), request_of("/", "Content-Length: 0\r\n"));
         })},
        {"`Foo : bar` in an answer", "Foo: bar", of([](auto proxy, auto& backend) {
             const auto done =
                 run(proxy, backend, request_of("/"), "HTTP/1.1 200 OK\r\nFoo : bar\r\nContent-Length: 2\r\n\r\nok");
             if (status_of(done.seen.at_client) != 200) return statuses(done.seen.at_client);
             for (const auto* const spelled : {"Foo: bar", "foo: bar", "Foo : bar"})
                 if (done.seen.at_client.find(spelled) != std::string::npos) return std::string(spelled);
             return "left out"s;
         })},
        {"HTTP/1.2", "goes on as HTTP/1.1", of([](auto proxy, auto& backend) {
             const auto done = run(proxy, backend, "GET / HTTP/1.2\r\nHost: a\r\n\r\n");
             if (!is_passed(done)) return refusal(done);
             const auto line = done.seen.at_backend.substr(0, done.seen.at_backend.find("\r\n"));
             return "goes on as " + line.substr(line.rfind(' ') + 1);
         })},
        refused("an unknown transfer coding", "501 at once",
                chunked_post("0\r\n\r\n", "Transfer-Encoding: gzip, chunked\r\n")),
        {"a client that half-closes within its upload, an early answer under way", "the answer ends",
         of(half_close_within_upload)},
    };
}

std::vector<line> hostile() {
    return {
        field_at_backend("`Upgrade: websocket, h2c`", "Upgrade: websocket",
                         request_of("/", "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n"), {"Upgrade"}),
        {"a `101` to `h2c`", "502", of([](auto proxy, auto& backend) {
             const auto done = run(proxy, backend, request_of("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"),
                                   "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
             return statuses(done.seen.at_client);
         })},
        refused("`Transfer-Encoding:` tab `chunked`", "400 at once",
                chunked_post("0\r\n\r\n", "Transfer-Encoding:\tchunked\r\n")),
        {"`Host: [1::2::3]`, `[12345::]`, `[:::]`", "3 of 3 refused", of([](auto proxy, auto& backend) {
             return count_refused(proxy, backend, {with_host("[1::2::3]"), with_host("[12345::]"), with_host("[:::]")});
         })},
        {"`Host: [v1.a]`, `a'b`, which are valid", "0 of 2 refused", of([](auto proxy, auto& backend) {
             return count_refused(proxy, backend, {with_host("[v1.a]"), with_host("a'b")});
         })},
        {"chunk extensions `2;`, `2;=b`; a size of 17 digits", "3 of 3 refused", of([](auto proxy, auto& backend) {
             return count_refused(proxy, backend,
                                  {chunked_post("2;\r\nhi\r\n0\r\n\r\n"), chunked_post("2;=b\r\nhi\r\n0\r\n\r\n"),
                                   chunked_post("00000000000000002\r\nhi\r\n0\r\n\r\n")});
         })},
        {"`X_Forwarded_For` beside the one that is set", "one, ours", of([](auto proxy, auto& backend) {
             const auto done = run(proxy, backend, request_of("/", "X_Forwarded_For: 6.6.6.6\r\n"));
             if (!is_passed(done)) return refusal(done);
             const bool has_theirs = done.seen.at_backend.find("6.6.6.6") != std::string::npos;
             return has_theirs                                               ? "both"s
                    : count_of(done.seen.at_backend, "X-Forwarded-For") == 1 ? "one, ours"s
                                                                             : "none"s;
         })},
        {"a request behind one with trailers", "on a fresh connection", of([](auto proxy, auto& backend) {
             return second_on_same(proxy, backend, chunked_post("2\r\nhi\r\n0\r\nX-Sum: 1\r\n\r\n"), request_of("/"));
         })},
    };
}

} // namespace

const std::vector<line>& lines() {
    static const auto all = [] {
        auto both = legal();
        for (auto& each : hostile()) both.push_back(std::move(each));
        return both;
    }();
    return all;
}

} // namespace peers
