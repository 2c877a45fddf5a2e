// Whole exchanges in process: several clients, a backend, one worker. The input says who sends which message, how much
// of it at once, who ends or resets what, when time goes by, when the configuration changes. Each message carries the
// tag of its exchange, so that the oracle knows what may arrive where:
//  - nothing of another exchange, and nothing from behind a message's end;
//  - a body is what was sent, and whole only if it was sent whole and ended in order;
//  - no request that is not repeatable arrives twice;
//  - once all time limits have passed no connection is left, and the memory is back.
// A side that was made to send rubbish is held to the first and the last only.
#include "tests/cuts/stage.hpp"
#include "tests/harness/http_text.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_WITH_ADDRESS_SANITIZER 1
#include <sanitizer/allocator_interface.h>
#endif
#endif
#include <malloc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace std::chrono_literals;
using cuts::end;
using harness::ending;

[[noreturn]] void found(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}
// `bytes` are shown if it does not hold.
void expect(bool holds, const char* what, std::string_view bytes = {}, std::string_view behind = {}) {
    if (!holds) found(what + harness::shown(bytes) + harness::shown(behind));
}

// The input, consumed from its front. An exhausted one gives zeros.
class input {
public:
    input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    unsigned byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    unsigned below(unsigned n) { return byte() % n; }
    std::string bytes(std::size_t most) {
        const auto n = std::min(most, left_);
        std::string taken(reinterpret_cast<const char*>(data_), n);
        data_ += n;
        left_ -= n;
        return taken;
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

const std::string busy = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string fresh = "0a29f7df-33ca-46dd-a015-92c46fdb6fd1"; // learned, if at all
// By the first rules nothing is ready, by the others all is: what says otherwise mixes them up.
const std::string document =
    R"({"projects":[{"id":")" + busy +
    R"(","is_upload_ready":false,"is_download_ready":false,"is_a":true,"is_b":true}],"files":[]})";

void configure(sidecar::config& c, unsigned choice) {
    c.rules.augment_body_max = choice & 1 ? 1'000 : 100'000;
    c.upstream.connections_max = choice & 2 ? 1 : 0;
    c.upstream.idle_connections_max = choice & 4 ? 0 : 256;
    c.upstream.connect_retry = 100ms;
    if (!(choice & 8)) return;
    c.rules.rules = {
        {"info", "GET", "/projects/{id}", "info", sidecar::augment_rule{"projects", {"is_a", "is_b"}, {}}},
        {"gate", "POST", "/projects/{id}/uploads", "", sidecar::gate_rule{"projects", "is_a", {}, {}}},
    };
}

// `{client}.{exchange}`, in brackets: found anywhere, it says whose bytes these are.
struct tag {
    std::size_t client = 0;
    std::size_t exchange = 0;
    friend bool operator==(const tag&, const tag&) = default;
    std::string text() const { return "<" + std::to_string(client) + "." + std::to_string(exchange) + ">"; }
};

std::optional<tag> tag_of(std::string_view head) {
    const auto value = harness::field_of(head, "X-Tag");
    tag made;
    if (!value || value->size() < 5) return {};
    const char* const last = value->data() + value->size();
    auto [dot, error] = std::from_chars(value->data() + 1, last, made.client);
    if (error != std::errc() || dot == last || *dot != '.') return {};
    std::from_chars(dot + 1, last, made.exchange);
    return made;
}

std::string filled(const tag& of, std::size_t size) {
    std::string body;
    while (body.size() < size) body += of.text();
    body.resize(size);
    return body;
}

constexpr std::array<std::size_t, 10> sizes{0, 1, 5, 63, 300, 999, 1'001, 16'384, 17'000, 70'000};

// What a client has asked for.
struct asked {
    std::string method;
    std::size_t whole_at = 0; // offset in what the client sends
    std::string payload;
    bool http_1_0 = false;
    bool repeatable = false;
    bool gated = false;
    std::size_t arrived = 0; // how often its head came to the backend
};

// What the backend said to it, once for each try.
struct replied {
    tag to;
    std::string payload;
    bool until_close = false;
    bool mangled = false;
    bool all_sent = false; // to the end of the message, and for until_close the FIN behind it
    bool reset = false;
};

struct client_end {
    end link;
    std::string out;
    std::size_t sent = 0;
    std::vector<asked> requests;
    bool mangled = false; // something was sent that is not a request of ours
    bool tunnels = false; // an upgrade was asked for
    bool closed = false;  // by itself
};

struct backend_end {
    end link;
    std::size_t seen = 0; // offset behind the last request taken note of
    std::string out;
    std::size_t message_size = 0;     // of `out`: what lies behind it is glued to its last byte
    std::optional<std::size_t> reply; // being sent
    std::optional<tag> reading;       // the request whose body is coming
    bool in_one = false;              // all of `out` in one call
    bool then_fin = false;
    bool poisoned = false; // no request of before can be told from the next any more
    bool tunnel = false;
    bool dead = false;
};

class exchange_play {
public:
    exchange_play(cuts::stage& on, input& from, bool over_tcp)
        : stage_(on),
          in_(from),
          over_tcp_(over_tcp),
          connects_before_(on.metrics().upstream_connects.get()) {}

    // Whether the stage is good for another one: not drained, and no connection of this one's may still come to the
    // backend, as on a busy machine the kernel lets it.
    bool run() {
        for (int step = 0; step < 400 && !in_.empty(); ++step) take_step();
        finish();
        check();
        return !drained_ && stage_.metrics().upstream_connects.get() - connects_before_ == backends_.size();
    }

private:
    static constexpr std::size_t clients_max = 4, requests_max = 12;

    void take_step() {
        switch (in_.below(16)) {
        case 0:
            return open_client();
        case 1:
        case 2:
        case 3:
            return ask();
        case 4:
        case 5:
            return send_some(in_.byte());
        case 6:
        case 7:
            return send_some(1'000'000);
        case 8:
            return end_client();
        case 9:
            return settle();
        case 10: {
            static constexpr std::array<std::chrono::milliseconds, 6> pauses{1ms, 150ms, 2'500ms, 12s, 80s, 400s};
            stage_.skip(pauses[in_.below(pauses.size())]);
            return settle();
        }
        case 11:
            return reply_some(in_.byte());
        case 12:
            return end_backend();
        case 13: {
            const auto choice = in_.byte();
            stage_.reconfigure([choice](sidecar::config& c) { configure(c, choice); });
            stage_.publish(document);
            return;
        }
        case 14:
            return in_.below(2) ? send_rubbish() : urge();
        default:
            if (in_.below(8) == 0 && !std::exchange(drained_, true)) stage_.drain();
            return automatic_ ? void(automatic_ = in_.below(4) != 0) : void(automatic_ = true);
        }
    }

    client_end* any_client() {
        if (clients_.empty()) open_client();
        return &clients_[in_.below(static_cast<unsigned>(clients_.size()))];
    }
    backend_end* any_backend() {
        if (backends_.empty()) return nullptr;
        return &backends_[in_.below(static_cast<unsigned>(backends_.size()))];
    }

    void open_client() {
        if (clients_.size() < clients_max)
            clients_.push_back({stage_.connect_client(), {}, 0, {}, false, false, false});
    }

    void ask() {
        auto& client = *any_client();
        if (client.closed || client.requests.size() >= requests_max) return;
        const auto index = static_cast<std::size_t>(&client - clients_.data());
        const tag mine{index, client.requests.size()};
        const auto how = in_.byte();
        const auto size = sizes[in_.below(sizes.size())];
        asked made;
        std::string target = "/plain/" + std::to_string(how);
        made.method = "GET";
        bool has_body = false;
        switch (how % 8) {
        case 0:
            break;
        case 1:
            made.method = "HEAD";
            break;
        case 2:
            target = "/api/v1/projects/" + busy + "?info";
            break;
        case 3:
            target = "/api/v1/projects/" + busy + "/uploads";
            made.method = "POST";
            made.gated = has_body = true;
            break;
        case 4:
            target = "/api/v1/projects";
            made.method = "POST";
            has_body = true;
            break;
        case 5:
            made.method = "PUT";
            has_body = true;
            break;
        case 6:
            made.method = "POST";
            has_body = true;
            break;
        default:
            made.method = "DELETE";
            break;
        }
        const bool chunks = has_body && (how & 8);
        made.http_1_0 = !chunks && (how & 0xf0) == 0xf0;
        std::string head = made.method + " " + target + (made.http_1_0 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n") +
                           "Host: a\r\nX-Tag: " + mine.text() + "\r\n";
        if (made.gated) head += "Authorization: t\r\n";
        if ((how & 0xf0) == 0x10) head += "Connection: close\r\n";
        if ((how & 0xf0) == 0x20 && has_body) head += "Expect: 100-continue\r\n";
        if ((how & 0xf0) == 0x30 && made.method == "GET") {
            head += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
            client.tunnels = true;
        }
        if ((how & 0xf0) == 0x40) head += "Connection: x-hop, keep-alive\r\nX-Hop: 1\r\n";
        made.repeatable = !has_body;
        if (has_body) made.payload = filled(mine, size);
        if (chunks) {
            auto framed = harness::chunked(made.payload, 1 + size / (1 + in_.below(8)));
            if (how & 16) framed.insert(framed.size() - 2, "X-Sum: 1\r\n");
            head += "Transfer-Encoding: chunked\r\n\r\n" + framed;
        } else if (has_body) {
            head += "Content-Length: " + std::to_string(size) + "\r\n\r\n" + made.payload;
        } else {
            head += "\r\n";
        }
        client.out += head;
        made.whole_at = client.sent + client.out.size();
        client.requests.push_back(std::move(made));
        if (automatic_) {
            send_from(client, 1'000'000);
            settle();
        }
    }

    void send_from(client_end& client, std::size_t most) {
        const auto n = client.link.send(std::string_view(client.out).substr(0, most));
        client.sent += n;
        client.out.erase(0, n);
    }
    void send_some(std::size_t most) {
        auto& client = *any_client();
        if (!client.closed) send_from(client, most);
        settle();
    }

    void end_client() {
        auto& client = *any_client();
        if (client.closed) return;
        const auto how = in_.below(3);
        if (how == 0) client.link.end_writing();
        if (how == 1) client.link.reset();
        if (how == 2) client.link.close();
        client.closed = true;
        client.out.clear();
        if (in_.below(2)) settle();
    }

    void send_rubbish() {
        const auto count = in_.byte() % 64;
        if (in_.below(2)) {
            auto& client = *any_client();
            client.mangled = true;
            client.out.insert(std::min<std::size_t>(client.out.size(), in_.byte()), in_.bytes(count));
        } else if (auto* at = any_backend(); at && at->reply && !at->tunnel) {
            // In one with all the rest: what is left over must be seen as such.
            replies_[*at->reply].mangled = true;
            at->out.insert(std::min<std::size_t>(at->out.size(), in_.byte()), in_.bytes(count));
            at->in_one = at->poisoned = true;
        }
    }

    void urge() {
        if (!over_tcp_) return;
        if (in_.below(2)) {
            auto& client = *any_client();
            if (client.closed) return;
            client.link.send_urgent('!'); // one that comes before the last was read is a byte like any other
            client.mangled = true;
        } else if (auto* at = any_backend(); at && at->link.is_open() && !at->dead) {
            at->link.send_urgent('!');
            at->poisoned = true;
            if (at->reply) replies_[*at->reply].mangled = true;
        }
        settle();
    }

    // The backend's side. What it will say is decided when the head has come.
    void begin_replies() {
        for (auto& each : backends_) {
            if (each.dead || each.tunnel) continue;
            const std::string_view rest = std::string_view(each.link.received()).substr(each.seen);
            if (each.reading) {
                note_body(each, rest);
                continue;
            }
            const auto head_end = rest.find("\r\n\r\n");
            if (each.reply || head_end == std::string_view::npos) continue;
            begin_reply(each, rest.substr(0, head_end + 4));
        }
    }

    void begin_reply(backend_end& at, std::string_view head) {
        const auto whose = tag_of(head);
        const bool known =
            whose && whose->client < clients_.size() && whose->exchange < clients_[whose->client].requests.size();
        const bool clean = known && !clients_[whose->client].mangled;
        if (!clean) at.poisoned = true;
        if (clean) {
            auto& request = clients_[whose->client].requests[whose->exchange];
            ++request.arrived;
            expect(request.arrived == 1 || request.repeatable, "a request that is not repeatable arrives twice");
            expect(request.arrived <= 2, "a request arrives three times");
            expect(head.starts_with(request.method + " "), "another method arrives: ", head);
            at.reading = whose;
        } else {
            at.seen += head.size();
        }
        make_reply(at, known ? *whose : tag{99, 0}, head);
    }

    void note_body(backend_end& at, std::string_view rest) {
        const auto size = harness::request_size(rest);
        if (!size) return;
        const auto& client = clients_[at.reading->client];
        const auto& request = client.requests[at.reading->exchange];
        const auto body = rest.substr(rest.find("\r\n\r\n") + 4, *size - rest.find("\r\n\r\n") - 4);
        const auto head = rest.substr(0, *size - body.size());
        if (!client.mangled) {
            expect(client.sent >= request.whole_at, "a request is whole that was not sent whole");
            const bool same = (harness::field_of(head, "Transfer-Encoding") ? harness::unchunked(body)
                                                                            : std::string(body)) == request.payload;
            expect(same, "another request body arrives: ", body);
        }
        at.seen += *size;
        at.reading.reset();
    }

    void make_reply(backend_end& at, const tag& to, std::string_view head) {
        const auto how = in_.byte();
        const auto more = in_.byte();
        const auto size = sizes[in_.below(sizes.size())];
        replied made;
        made.to = to;
        const bool to_head = head.starts_with("HEAD ");
        std::string out;
        if (head.find("100-continue") != std::string_view::npos && (more & 1)) out += "HTTP/1.1 100 Continue\r\n\r\n";
        for (unsigned i = 0; i < (more >> 1 & 3) % 3; ++i) out += "HTTP/1.1 103 Early Hints\r\nX-Hint: 1\r\n\r\n";
        if (head.find("Upgrade: websocket") != std::string_view::npos && (how & 1)) {
            at.out = out + "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Tag: " +
                     to.text() + "\r\n\r\n" + filled(to, size % 100);
            at.message_size = at.out.size();
            at.tunnel = true;
            at.reading.reset();
            replies_.push_back(made);
            at.reply = replies_.size() - 1;
            return;
        }
        static constexpr std::array<const char*, 8> statuses{"200 OK",         "200 OK",          "200 OK",
                                                             "201 Created",    "404 Not Found",   "500 Error",
                                                             "204 No Content", "304 Not Modified"};
        const std::string status = statuses[how & 7];
        const bool bodiless = to_head || (how & 7) >= 6;
        const bool json = how & 8;
        out += "HTTP/1.1 " + status + "\r\nX-Tag: " + to.text() + "\r\n";
        if (json) out += "Content-Type: application/json\r\n";
        if (more & 8) out += "ETag: \"x\"\r\n";
        if (at.poisoned || (more & 0xf0) == 0x10) out += "Connection: close\r\n";
        std::string payload =
            json ? R"({"id":")" + fresh + R"(","t":")" + filled(to, size) + R"("})" : filled(to, size);
        if (json && (more & 0xf0) == 0x20) payload = "[" + payload + "]";
        const auto framing = how >> 4 & 3;
        if (bodiless) {
            if ((how & 7) != 6 && framing == 0) out += "Content-Length: " + std::to_string(payload.size()) + "\r\n";
            out += "\r\n";
        } else if (framing == 0) {
            out += "Content-Length: " + std::to_string(payload.size()) + "\r\n\r\n" + payload;
        } else if (framing == 3) {
            out += "\r\n" + payload;
            made.until_close = at.then_fin = true;
        } else {
            auto framed = harness::chunked(payload, 1 + size / (1 + (more & 7)));
            if (framing == 2) framed.insert(framed.size() - 2, "X-Sum: 1\r\n");
            out += "Transfer-Encoding: chunked\r\n\r\n" + framed;
        }
        if (!bodiless) made.payload = payload;
        at.message_size = out.size();
        if (!made.until_close && (more & 0xf0) == 0x30) {
            out += "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nPOISONED";
            at.poisoned = true;
        }
        if ((more & 0xf0) == 0x40) at.then_fin = true;
        at.out = std::move(out);
        replies_.push_back(std::move(made));
        at.reply = replies_.size() - 1;
    }

    void push_reply(backend_end& at, std::size_t most) {
        if (!at.reply || at.dead) return;
        if (at.in_one) most = at.out.size();
        // The last byte takes with it what lies behind.
        if (most >= at.message_size) most = at.out.size();
        const auto n = at.link.send(std::string_view(at.out).substr(0, most));
        at.out.erase(0, n);
        at.message_size -= std::min(at.message_size, n);
        if (!at.out.empty()) return;
        auto& reply = replies_[*at.reply];
        reply.all_sent = true;
        at.reply.reset();
        if (at.then_fin || at.poisoned) {
            at.link.end_writing();
            at.dead = true;
        }
    }
    void reply_some(std::size_t most) {
        if (auto* at = any_backend()) push_reply(*at, most);
        settle();
    }

    void end_backend() {
        auto* at = any_backend();
        if (!at || at->dead) return;
        const auto how = in_.below(3);
        if (at->reply) {
            auto& reply = replies_[*at->reply];
            // A body until the end that ends in order is whole, however much of it was meant to come.
            if (reply.until_close && how != 1)
                reply.mangled = true;
            else
                reply.reset = true;
        }
        if (how == 0) {
            at->link.end_writing();
        } else if (how == 1) {
            at->link.reset();
        } else {
            at->link.close();
        }
        at->dead = true;
        at->out.clear();
        if (in_.below(2)) settle();
    }

    // Until nothing moves any more.
    void settle() {
        for (std::size_t rounds = 0; move(); ++rounds) expect(rounds < 200'000, "it does not come to rest");
    }
    bool move() {
        bool moved = stage_.turn() > 0;
        for (auto& each : clients_) moved |= each.link.read();
        while (auto made = stage_.accept_backend()) {
            backends_.push_back({});
            backends_.back().link = std::move(*made);
            moved = true;
        }
        for (auto& each : backends_) moved |= each.link.is_open() && each.link.read();
        begin_replies();
        if (automatic_)
            for (auto& each : backends_) {
                const auto before = each.out.size();
                push_reply(each, 1'000'000);
                moved |= each.out.size() != before;
            }
        return moved;
    }

    // All that was begun is ended, and then all time limits pass.
    void finish() {
        automatic_ = true;
        for (int i = 0; i < 200; ++i) {
            bool any = false;
            for (auto& each : clients_) {
                const auto before = each.out.size();
                if (!each.closed) send_from(each, 1'000'000);
                any |= each.out.size() != before;
            }
            settle();
            if (!any) break;
        }
        for (int i = 0; i < 6; ++i) {
            stage_.skip(std::chrono::hours(2));
            settle();
        }
        expect(stage_.metrics().connections_open.get() == 0, "a client's connection outlives all time limits");
        for (auto& each : clients_) each.link.read();
    }

    void check() {
        for (std::size_t i = 0; i < clients_.size(); ++i) check_client(clients_[i], i);
    }

    void check_client(const client_end& client, std::size_t index) {
        const std::string_view got(client.link.received());
        // A response that was changed may have another end, or none: check_message() tells what is behind the others'.
        const bool changed = std::any_of(replies_.begin(), replies_.end(), [index](const replied& each) {
            return each.to.client == index && each.mangled;
        });
        expect(changed || got.find("POISON") == std::string_view::npos, "bytes from behind a response: ", got);
        for (auto at = got.find('<'); at != std::string_view::npos; at = got.find('<', at + 1)) {
            const auto close = got.substr(at, 8).find('.');
            if (close == std::string_view::npos || close < 2) continue;
            std::size_t whose = 0;
            const auto [stop, error] = std::from_chars(got.data() + at + 1, got.data() + at + close, whose);
            if (error != std::errc() || stop != got.data() + at + close) continue;
            expect(whose == index || whose == 99 || client.mangled, "bytes of another client: ", got.substr(at));
        }
        expect(got.find(R"("is_upload_ready":true)") == std::string_view::npos || client.mangled, "false readiness");
        if (!client.mangled && !client.tunnels) check_messages(client, index, got);
    }

    void check_messages(const client_end& client, std::size_t index, std::string_view got) {
        std::size_t exchange = 0;
        while (!got.empty()) {
            const auto head_end = got.find("\r\n\r\n");
            if (head_end == std::string_view::npos) return; // cut short, and seen to be
            const auto head = got.substr(0, head_end + 4);
            got.remove_prefix(head.size());
            const int status = harness::status_of(head);
            expect(status >= 100, "no response: ", head);
            if (status < 200) continue;
            expect(exchange < client.requests.size(), "a response that nobody asked for: ", head);
            const auto& request = client.requests[exchange];
            const tag mine{index, exchange++};
            const bool bodiless = request.method == "HEAD" || status == 204 || status == 304;
            bool whole = true, until_close = false;
            std::string payload;
            if (bodiless) {
            } else if (harness::field_of(head, "Transfer-Encoding")) {
                const auto size = harness::chunked_size(got);
                whole = size.has_value();
                payload = whole ? harness::unchunked(got.substr(0, *size)) : std::string();
                got.remove_prefix(whole ? *size : got.size());
            } else if (const auto length = harness::field_of(head, "Content-Length")) {
                const auto size = std::stoul(*length);
                whole = got.size() >= size;
                payload = got.substr(0, size);
                got.remove_prefix(std::min(got.size(), size));
            } else {
                payload = got;
                got = {};
                until_close = true;
                whole = client.link.ended() == ending::fin && over_tcp_;
            }
            check_message(mine, head, payload, whole && !client.closed, until_close, bodiless);
        }
    }

    void check_message(const tag& mine, std::string_view head, const std::string& payload, bool whole, bool until_close,
                       bool bodiless) {
        const auto whose = tag_of(head);
        if (!whose) { // a local reply
            expect(bodiless || payload.starts_with(R"({"error":)") || !whole,
                   "neither a response nor a local reply: ", head, payload);
            return;
        }
        expect(*whose == mine, "the response to another request: ", head);
        if (bodiless) return;
        bool possible = false;
        for (const auto& each : replies_) {
            if (each.to != mine) continue;
            if (each.mangled) return;
            const bool sent_whole = each.all_sent && !each.reset;
            const bool as_sent = whole ? payload == each.payload : each.payload.starts_with(payload);
            const bool augmented =
                each.payload.ends_with('}') && payload.starts_with(each.payload.substr(0, each.payload.size() - 1) +
                                                                   R"(,"info":{"resource_consistency":{)");
            possible |= (as_sent || augmented || (!whole && payload.size() > each.payload.size())) &&
                        (!whole || sent_whole || (until_close && !over_tcp_));
        }
        expect(possible, whole ? "a whole response that was not sent whole, or another: " : "another response: ", head,
               payload);
    }

    cuts::stage& stage_;
    input& in_;
    bool over_tcp_;
    std::uint64_t connects_before_;
    bool automatic_ = true;
    bool drained_ = false;
    std::vector<client_end> clients_;
    std::deque<backend_end> backends_;
    std::deque<replied> replies_;
};

std::size_t memory_in_use() {
#ifdef FUZZ_WITH_ADDRESS_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    return ::mallinfo2().uordblks;
#endif
}

std::unique_ptr<cuts::stage>& stage_over(cuts::family of) {
    static std::unique_ptr<cuts::stage> over[2];
    auto& one = over[of == cuts::family::tcp ? 1 : 0];
    if (!one)
        one = std::make_unique<cuts::stage>(
            of, [](sidecar::config& c) { configure(c, 0); }, document);
    return one;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    input in(data, size);
    const auto first = in.byte();
    const bool over_tcp = first % 4 == 0;
    auto& stage = stage_over(over_tcp ? cuts::family::tcp : cuts::family::unix_socket);
    const auto choice = first >> 2;
    stage->reconfigure([choice](sidecar::config& c) { configure(c, choice); });
    stage->publish(document);
    const auto before = memory_in_use();
    const bool good_for_another = exchange_play(*stage, in, over_tcp).run();
    stage->publish(document);
    // What a worker keeps at rest is bounded; what one input makes it keep, too.
    constexpr std::size_t kept_max = 1 << 20;
    expect(memory_in_use() < before + kept_max, "memory is not given back");
    if (!good_for_another) stage.reset();
    return 0;
}
