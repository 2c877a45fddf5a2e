#include "tests/fuzz/exchange_fuzz/play.hpp"

#include "tests/fuzz/exchange_fuzz/oracle.hpp"
#include "tests/harness/http_text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace exchange_fuzz {

using namespace std::chrono_literals;

bool play::run() {
    for (int step = 0; step < 400 && !in_.empty(); ++step) take_step();
    finish();
    const oracle says(replies_, over_tcp_);
    for (std::size_t i = 0; i < clients_.size(); ++i) says.check_client(clients_[i], i);
    return !drained_ && stage_.metrics().upstream_connects.get() - connects_before_ == backends_.size();
}

void play::take_step() {
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

client_end* play::any_client() {
    if (clients_.empty()) open_client();
    return &clients_[in_.below(static_cast<unsigned>(clients_.size()))];
}

backend_end* play::any_backend() {
    if (backends_.empty()) return nullptr;
    return &backends_[in_.below(static_cast<unsigned>(backends_.size()))];
}

void play::open_client() {
    if (clients_.size() < clients_max) clients_.push_back({stage_.connect_client(), {}, 0, {}, false, false, false});
}

void play::ask() {
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
    made.repeatable = made.method != "POST" && (!has_body || (size == 0 && !chunks)); // RFC 9110 9.2.2
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

void play::send_from(client_end& client, std::size_t most) {
    const auto n = client.link.send(std::string_view(client.out).substr(0, most));
    client.sent += n;
    client.out.erase(0, n);
}

void play::send_some(std::size_t most) {
    auto& client = *any_client();
    if (!client.closed) send_from(client, most);
    settle();
}

void play::end_client() {
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

void play::send_rubbish() {
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

void play::urge() {
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

void play::begin_replies() {
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

void play::begin_reply(backend_end& at, std::string_view head) {
    const auto whose = tag_of(head);
    const bool known =
        whose && whose->client < clients_.size() && whose->exchange < clients_[whose->client].requests.size();
    const bool clean = known && !clients_[whose->client].mangled;
    if (!clean) at.poisoned = true;
    if (clean) {
        auto& request = clients_[whose->client].requests[whose->exchange];
        ++request.arrived;
        expect(request.arrived == 1 || request.repeatable, "a request that is not repeatable arrives twice: ", head);
        expect(request.arrived <= 2, "a request arrives three times");
        expect(head.starts_with(request.method + " "), "another method arrives: ", head);
        at.reading = whose;
    } else {
        at.seen += head.size();
    }
    make_reply(at, known ? *whose : tag{99, 0}, head);
}

void play::note_body(backend_end& at, std::string_view rest) {
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

void play::make_reply(backend_end& at, const tag& to, std::string_view head) {
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
    std::string payload = json ? R"({"id":")" + fresh + R"(","t":")" + filled(to, size) + R"("})" : filled(to, size);
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

void play::push_reply(backend_end& at, std::size_t most) {
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

void play::reply_some(std::size_t most) {
    if (auto* at = any_backend()) push_reply(*at, most);
    settle();
}

void play::end_backend() {
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

void play::settle() {
    for (std::size_t rounds = 0; move(); ++rounds) expect(rounds < 200'000, "it does not come to rest");
}

bool play::move() {
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

void play::finish() {
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

} // namespace exchange_fuzz
