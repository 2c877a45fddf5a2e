#include "tests/soak/script.hpp"

#include <array>
#include <cstdio>

namespace soak {

namespace {

using std::string;
using std::string_view;

template <std::size_t n>
string_view any_of(dice& d, const std::array<string_view, n>& choices) {
    return choices[d.below(n)];
}

string hex(std::size_t value) {
    std::array<char, 20> text{};
    const int n = std::snprintf(text.data(), text.size(), "%zx", value);
    return {text.data(), static_cast<std::size_t>(n)};
}

string bytes(dice& d, std::size_t size) {
    string made(size, '\0');
    for (auto& c : made) c = static_cast<char>(d.next() >> 40);
    return made;
}

std::size_t body_size(dice& d) {
    switch (d.below(8)) {
    case 0:
        return 0;
    case 1:
        return 1;
    case 2:
        return 100'000 + d.below(300'000);
    case 3:
        return 16'000 + d.below(800); // around the buffers' size
    default:
        return d.below(3'000);
    }
}

string chunked(dice& d, const string& payload) {
    string out;
    for (std::size_t at = 0; at < payload.size();) {
        const auto n = std::min<std::size_t>(1 + d.below(d.one_in(8)   ? 100'000
                                                         : d.one_in(4) ? 20'000
                                                                       : 400),
                                             payload.size() - at);
        out += hex(n);
        if (d.one_in(5)) out += ";ext=\"a\\\"b;\"";
        out += "\r\n" + payload.substr(at, n) + "\r\n";
        at += n;
    }
    out += d.one_in(3) ? "000\r\n" : "0\r\n";
    if (d.one_in(3)) out += "X-Check: abc\r\nx-CHECK:  d\r\n";
    return out + "\r\n";
}

// Lines of which some are hop-by-hop: in `all`, but not in `kept`.
struct lines {
    string all, kept;
    void both(string_view line) { all.append(line), kept.append(line); }
    void dropped(string_view line) { all.append(line); }
};

void add_odd_lines(dice& d, lines& head) {
    if (d.one_in(3)) head.both("x-odd:\tvalue \t\r\n");
    if (d.one_in(4)) head.both("A: 1\r\nb:2\r\nA: 3\r\n");
    if (d.one_in(5)) head.both("X-Obs: caf\xe9\r\n");
    if (d.one_in(6)) head.both("X-Empty:\r\n");
    if (d.one_in(9)) head.both("X-Long: " + string(2'000 + d.below(18'000), 'l') + "\r\n");
    if (d.one_in(4)) head.dropped("Keep-Alive: timeout=5\r\n");
    if (d.one_in(5)) head.dropped("Connection: X-Hop , keep-alive\r\nX-Hop: 1\r\n");
    if (d.one_in(7)) head.dropped("Proxy-Connection: keep-alive\r\n");
}

constexpr std::array<string_view, 12> illegal_lines{"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
                                                    "Content-Length: 5\r\nContent-Length: 6\r\n",
                                                    "Content-Length: +5\r\n",
                                                    "Content-Length: 5, 5\r\n",
                                                    "Transfer-Encoding: gzip, chunked\r\n",
                                                    "Transfer-Encoding: xchunked\r\n",
                                                    "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
                                                    "X: a\r\n b\r\n",
                                                    "X : a\r\n",
                                                    "X\r\n",
                                                    "X: a\x01"
                                                    "b\r\n",
                                                    "content_length: 5\r\n"};

constexpr string_view gate_body =
    R"({"error":404,"code":"resource_not_consistent","reason":"resource changes are still being processed by system","suggestion":"this is a temporary state that will eventually be resolved by the system; please retry request"})";

void make_gated(script& s, dice& d) {
    s.own_answer = true;
    const bool with_body = d.one_in(2);
    s.sent = "POST /api/v1/projects/" + string(not_ready_project) +
             "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\n" +
             (with_body ? "Content-Length: 20\r\n\r\n01234567890123456789" : "Content-Length: 0\r\n\r\n");
    s.received = gate_body; // compared by its end: Date is the day's
}

void make_augmented(script& s, dice& d) {
    static constexpr std::array<string_view, 7> others{
        "[]", "17", "", "{\"a\":", "{}{}", R"({"info":{"resource_consistency":{}}})", R"({"info":7})"};
    const bool passes = d.one_in(3); // what is not augmented after all
    const string body = passes ? string(any_of(d, others))
                               : R"({ "id" : "x", "n":1.50e+0, "t":")" + string(d.below(5'000), 't') + "\" }";
    const string_view info = R"(,"info":{"resource_consistency":{"is_upload_ready":false,"is_download_ready":false}})";
    const string target = "/api/v1/projects/" + string(not_ready_project) + (d.one_in(2) ? "?info" : "?a=1&%69nfo=");
    const string number = string(number_field) + ": " + std::to_string(s.number) + "\r\n";
    s.sent = "GET " + target + " HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n" + number + "\r\n";
    s.arrives = "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + number + "Accept-Encoding: identity\r\n\r\n";
    const string status = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    const auto with_length = [&](const string& payload) {
        return status + "Content-Length: " + std::to_string(payload.size()) + "\r\n\r\n" + payload;
    };
    const string augmented = passes ? string() : body.substr(0, body.size() - 1) + string(info) + "}";
    const auto framed = chunked(d, body);
    const bool in_chunks = d.one_in(2) && (passes || framed.find("X-Check") == string::npos);
    s.answer = in_chunks ? status + "Transfer-Encoding: chunked\r\n\r\n" + framed : with_length(body);
    s.received = passes ? s.answer : with_length(augmented);
}

// Many small pieces, without their framing for a client that knows none.
void make_dechunked(script& s, dice& d) {
    const string number = string(number_field) + ": " + std::to_string(s.number) + "\r\n";
    s.sent = "GET /tiny HTTP/1.0\r\nHost: a\r\n" + number + "\r\n";
    s.arrives = "GET /tiny HTTP/1.1\r\nHost: a\r\n" + number + "\r\n";
    const auto payload = bytes(d, d.below(9'000));
    const auto most = 1 + d.below(4);
    s.answer = "HTTP/1.1 200 OK\r\nServer: soak\r\nTransfer-Encoding: chunked\r\n\r\n";
    for (std::size_t at = 0; at < payload.size(); at += most) {
        const auto piece = payload.substr(at, most);
        s.answer += hex(piece.size()) + "\r\n" + piece + "\r\n";
    }
    s.answer += d.one_in(2) ? "0\r\nX-Check: a\r\n\r\n" : "0\r\n\r\n";
    s.received = "HTTP/1.1 200 OK\r\nServer: soak\r\nConnection: close\r\n\r\n" + payload;
    s.last_on_connection = true;
}

// An upload that the backend does not live to read.
void make_killed(script& s, dice& d) {
    const string number = string(number_field) + ": " + std::to_string(s.number) + "\r\n";
    const auto body = bytes(d, 1 + d.below(2'000'000));
    s.sent = "POST /killed HTTP/1.1\r\nHost: a\r\n" + number + "Content-Length: " + std::to_string(body.size()) +
             "\r\n\r\n" + body;
    s.arrives = s.sent;
    if (d.one_in(2)) s.answer = "HTTP/1.1 200 OK\r\nServer: soak\r\n\r\n" + bytes(d, 1 + d.below(5'000));
    s.planned = fault::killed;
    s.last_on_connection = true;
}

void add_what_lies_behind(script& s, dice& d) {
    static constexpr std::array<string_view, 5> all{"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON",
                                                    "HTTP/1.1 400 Bad Request\r\n\r\n", "x", "\r\n", "0\r\n\r\n"};
    s.behind = any_of(d, all);
}

void make_request(script& s, dice& d, string_view method) {
    static constexpr std::array<string_view, 7> targets{
        "/x",           "/a%2Fb//c;d=1?e=%20f",     "/?", "/api/v1/projects?%7B%7D",
        "/\"<>|^`{}\\", "/api/v1/files/1/url?info", "/*"};
    lines head;
    head.both(string(method) + " " + string(any_of(d, targets)) + " HTTP/1.1\r\nhOST: a.b:80\r\n");
    head.both(string(number_field) + ": " + std::to_string(s.number) + "\r\n");
    add_odd_lines(d, head);
    if (s.last_on_connection) head.dropped("Connection: close\r\n");
    string body;
    const bool may_have_body = method != "GET" && method != "HEAD" && method != "OPTIONS";
    if (may_have_body && d.one_in(2)) {
        body = bytes(d, body_size(d));
        head.both("Content-Length: " + std::to_string(body.size()) + "\r\n");
    } else if (may_have_body && d.one_in(2)) {
        body = chunked(d, bytes(d, body_size(d)));
        head.both("Transfer-Encoding: chunked\r\n");
    }
    if (s.planned == fault::illegal_request) head.dropped(any_of(d, illegal_lines));
    s.sent = head.all + "\r\n" + body;
    s.arrives = head.kept + "\r\n" + body;
}

void make_answer(script& s, dice& d, string_view method) {
    static constexpr std::array<string_view, 7> status_lines{
        "HTTP/1.1 200 OK\r\n",          "HTTP/1.1 201 Created\r\n",        "HTTP/1.1 404 \r\n",
        "HTTP/1.1 299 odd  phrase\r\n", "HTTP/1.1 500 Internal Error\r\n", "HTTP/1.1 304 Not Modified\r\n",
        "HTTP/1.1 204 No Content\r\n"};
    const auto status = any_of(d, status_lines);
    const bool bodiless = method == "HEAD" || status.find("304") == 9 || status.find("204") == 9;
    string interim;
    if (d.one_in(6)) interim += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
    if (d.one_in(8)) interim += "HTTP/1.1 102 Processing\r\n\r\n";
    lines head;
    head.both(status);
    head.both("Server: soak\r\n");
    add_odd_lines(d, head);
    string body;
    bool until_close = false;
    if (!bodiless) {
        const auto payload = bytes(d, body_size(d));
        const auto framing = d.below(5);
        until_close = framing == 0;
        body = framing == 1 || framing == 2 ? chunked(d, payload) : payload;
        if (framing == 1 || framing == 2)
            head.both("Transfer-Encoding: chunked\r\n");
        else if (!until_close)
            head.both("Content-Length: " + std::to_string(payload.size()) + "\r\n");
    }
    if (s.planned == fault::illegal_answer) {
        auto line = any_of(d, illegal_lines);
        if (line.starts_with("X :")) line = "X: a\r\n b\r\n"; // of a response, the blank is left out
        head.dropped(line);
    }
    s.backend_closes = until_close || d.one_in(10);
    if (s.backend_closes && !until_close) head.dropped("Connection: close\r\n");
    s.answer = interim + head.all + "\r\n" + body;
    const bool closes = until_close || s.last_on_connection;
    s.last_on_connection = closes;
    s.received = interim + head.kept + (closes ? "Connection: close\r\n" : "") + "\r\n" + body;
}

} // namespace

script make_script(std::uint64_t seed, std::uint64_t number) {
    dice d(seed ^ (number * 0xD1B54A32D192ED03ULL));
    script s;
    s.number = number;
    s.cuts = d.next();
    const auto what = d.below(100);
    if (what < 5) {
        make_gated(s, d);
        return s;
    }
    s.apart = d.one_in(3);
    s.urgent = d.one_in(4);
    if (what < 12) {
        make_augmented(s, d);
        if (d.one_in(3)) add_what_lies_behind(s, d);
        return s;
    }
    if (what < 15) {
        make_dechunked(s, d);
        return s;
    }
    if (what < 17) {
        make_killed(s, d);
        return s;
    }
    static constexpr std::array<string_view, 8> methods{"GET",    "GET",  "POST",  "PUT",
                                                        "DELETE", "HEAD", "PATCH", "Odd-Method"};
    const auto method = any_of(d, methods);
    if (what < 40) s.planned = static_cast<fault>(1 + d.below(5));
    s.last_on_connection = d.one_in(8);
    make_request(s, d, method);
    make_answer(s, d, method);
    if (s.planned != fault::none) s.last_on_connection = true;
    if (s.planned == fault::none && !s.backend_closes && d.one_in(10)) add_what_lies_behind(s, d);
    return s;
}

} // namespace soak
