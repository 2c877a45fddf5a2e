// Exchanges of more than one message each way, and their ends.
#include "tests/cuts/exchanges.hpp"
#include "tests/harness/http_text.hpp"

namespace cuts {

namespace {

using harness::chunked;
using when = part::when;
using on = reply::on;
using then = reply::then;

std::string get(const std::string& target, const std::string& lines = "", const std::string& version = "1.1") {
    return "GET " + target + " HTTP/" + version + "\r\nHost: a\r\n" + lines + "\r\n";
}
std::string post(const std::string& target, const std::string& body, const std::string& lines = "") {
    return "POST " + target + " HTTP/1.1\r\nHost: a\r\n" + lines + "Content-Length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}
std::string post_chunked(const std::string& target, const std::string& framed, const std::string& lines = "") {
    return "POST " + target + " HTTP/1.1\r\nHost: a\r\n" + lines + "Transfer-Encoding: chunked\r\n\r\n" + framed;
}
std::string ok(const std::string& body, const std::string& lines = "", const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\n" + lines + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string ok_chunked(const std::string& framed, const std::string& lines = "") {
    return "HTTP/1.1 200 OK\r\n" + lines + "Transfer-Encoding: chunked\r\n\r\n" + framed;
}
const std::string early_hints = "HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n";
const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
const std::string with_trailers = "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-B: 2\r\n\r\n";

void add_pipelines(std::vector<script>& all) {
    all.push_back({"two GETs at once", {{get("/1") + get("/2")}}, {{ok("one")}, {ok("second")}}});
    all.push_back({"four GETs at once, with blank lines between",
                   {{get("/1") + "\r\n" + get("/2") + "\r\n\r\n" + get("/3") + get("/4")}},
                   {{ok("one")}, {ok_chunked(chunked("two", 2))}, {ok("", "", "404 Not Found")}, {ok("four")}}});
    all.push_back({"a POST and a GET", {{post("/1", "hello") + get("/2")}}, {{ok("one")}, {ok("second")}}});
    all.push_back(
        {"chunks and a GET", {{post_chunked("/1", chunked("hello", 2)) + get("/2")}}, {{ok("1")}, {ok("2")}}});
    all.push_back({"chunks with trailers and a POST",
                   {{post_chunked("/1", with_trailers) + post("/2", "x")}},
                   {{ok("1")}, {ok("2")}}});
    all.push_back({"a HEAD and a GET",
                   {{"HEAD /1 HTTP/1.1\r\nHost: a\r\n\r\n" + get("/2")}},
                   {{"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"}, {ok("2")}}});
    all.push_back({"a 304, a 204 and a 200",
                   {{get("/1") + get("/2") + get("/3")}},
                   {{"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 9\r\n\r\n"},
                    {"HTTP/1.1 204 No Content\r\n\r\n"},
                    {ok("3")}}});
    all.push_back(
        {"a backend that ends after each", {{get("/1") + get("/2")}}, {{ok("1"), on::request, then::fin}, {ok("2")}}});
    all.push_back(
        {"a backend that says close", {{get("/1") + get("/2")}}, {{ok("1", "Connection: close\r\n")}, {ok("2")}}});
    all.push_back({"the last says close", {{get("/1") + get("/2", "Connection: close\r\n")}}, {{ok("1")}, {ok("2")}}});
    all.push_back({"what follows a close is not read",
                   {{get("/1", "Connection: close\r\n") + get("/2")}},
                   {{ok("1")}, {ok("2")}}});
    all.push_back(
        {"a FIN behind the last", {{get("/1") + get("/2"), when::at_once, {}, true}}, {{ok("1")}, {ok("2")}}});
    all.push_back({"rubbish behind a request", {{get("/1") + "rubbish\r\n\r\n"}}, {{ok("1")}}});
    all.push_back({"a request that is refused behind one that is not",
                   {{get("/1") + "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx"}},
                   {{ok("1")}}});
    all.push_back({"the second when the first has been answered",
                   {{get("/1")}, {get("/2"), when::seen, "one"}},
                   {{ok("one")}, {ok("2")}}});
    all.push_back({"1xx before each",
                   {{get("/1") + get("/2")}},
                   {{early_hints + ok("1")}, {early_hints + early_hints + ok_chunked(chunked("2"))}}});
    all.push_back({"a response until the end ends the pipeline",
                   {{get("/1") + get("/2")}},
                   {{"HTTP/1.1 200 OK\r\n\r\nuntil the end", on::request, then::fin}}});
}

void add_bodies(std::vector<script>& all) {
    const std::string large(40'000, 'x');
    all.push_back({"a large body each way", {{post("/", large)}}, {{ok(large)}}});
    all.push_back({"a large body each way in chunks",
                   {{post_chunked("/", chunked(large, 5'000))}},
                   {{ok_chunked(chunked(large, 7'000))}}});
    all.push_back(
        {"tiny chunks", {{post_chunked("/", chunked("hello, world", 1))}}, {{ok_chunked(chunked("hello, world", 1))}}});
    all.push_back({"chunk extensions and trailers",
                   {{post_chunked("/", "5;a=\"b;\\\"c\"\r\nhello\r\n0;z\r\nX-A: b\r\n\r\n")}},
                   {{ok_chunked("00005;q\r\nhello\r\n000\r\nX-A: b\r\nX-C:\r\n\r\n")}}});
    all.push_back(
        {"trailer fields that do not belong there",
         {{post_chunked("/", "1\r\na\r\n0\r\nX-A: 1\r\nContent-Length: 5\r\nHost: b\r\nX-B: 2\r\n\r\n") + get("/2")}},
         {{ok_chunked("1\r\na\r\n0\r\nSet-Cookie: a\r\nX-A: 1\r\nTransfer-Encoding: x\r\n\r\n")}, {ok("2")}}});
    all.push_back({"chunks whose sizes have leading zeros",
                   {{post_chunked("/", "0001\r\na\r\n00000000\r\n\r\n")}},
                   {{ok_chunked("0001\r\na\r\n00000000\r\n\r\n")}}});
    all.push_back({"every byte in a body",
                   {{post("/", std::string("\0\r\n\r\n0\r\n\xff", 9))}},
                   {{ok(std::string("\0\r\n\r\n0\r\n\xff", 9))}}});
    for (const std::string bad :
         {"g\r\n", "1\r\nab\r\n", "1;\r\na\r\n0\r\n\r\n", "1\na\r\n", "-1\r\n", "ffffffffffffffff1\r\n",
          "1\r\na\r\n0\r\nA b\r\n\r\n", "1\r\na\r\n0\r\n A: b\r\n\r\n", "0x1\r\na\r\n", "1 \r\na\r\n"}) {
        script up{"bad chunks up: " + harness::shown(bad), {{post_chunked("/", "3\r\nabc\r\n" + bad)}}, {}};
        script down{"bad chunks down: " + harness::shown(bad), {{get("/")}}, {{ok_chunked("3\r\nabc\r\n" + bad)}}};
        up.goes_wrong_late = down.goes_wrong_late = true;
        all.push_back(up);
        all.push_back(down);
    }
}

void add_early_responses(std::vector<script>& all) {
    all.push_back({"a response when the head has come",
                   {{post("/", std::string(300, 'x')) + get("/2")}},
                   {{ok("early"), on::head}, {ok("2")}}});
    all.push_back({"a refusal when the head has come",
                   {{post("/", std::string(300, 'x')) + get("/2")}},
                   {{ok("no", "", "401 Unauthorized"), on::head}, {ok("2")}}});
    all.push_back({"a response when the head has come, chunks both ways",
                   {{post_chunked("/", chunked(std::string(300, 'x'), 70)) + get("/2")}},
                   {{ok_chunked(chunked("early", 2)), on::head}, {ok("2")}}});
    all.push_back({"a response when half of the body has come",
                   {{post("/", "first half, second half")}},
                   {{ok("early"), on::text, then::keep, false, "half,"}}});
    all.push_back({"100 Continue",
                   {{"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"},
                    {"hello", when::seen, "100 Continue\r\n\r\n"}},
                   {{go_on, on::head, then::keep, true}, {ok("done")}}});
    all.push_back({"100 Continue with chunks, and another",
                   {{post_chunked("/", "", "Expect: 100-continue\r\n")},
                    {chunked("hello", 2) + get("/2"), when::seen, "100 Continue\r\n\r\n"}},
                   {{go_on, on::head, then::keep, true}, {ok("done")}, {ok("2")}}});
    all.push_back({"a refusal in place of 100",
                   {{"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"}},
                   {{ok("no", "", "417 Expectation Failed"), on::head}}});
    all.push_back({"103, 100 and the response",
                   {{"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n"},
                    {"hello", when::seen, "100 Continue\r\n\r\n"}},
                   {{early_hints + go_on, on::head, then::keep, true}, {early_hints + ok("done")}}});
    all.push_back({"a 100 that nobody asked for", {{post("/", "hello")}}, {{go_on + ok("done")}}});
    all.push_back({"a 1xx with a length in it",
                   {{get("/")}},
                   {{"HTTP/1.1 102 Processing\r\nContent-Length: 5\r\nA: b\r\n\r\n" + ok("done")}}});
}

void add_versions(std::vector<script>& all) {
    all.push_back({"HTTP/1.0", {{get("/", "", "1.0")}}, {{ok("hello")}}});
    all.push_back({"HTTP/1.0 without Host", {{"GET / HTTP/1.0\r\n\r\n"}}, {{ok("hello")}}});
    all.push_back({"HTTP/1.0 kept",
                   {{get("/", "Connection: keep-alive\r\n", "1.0") + get("/2", "", "1.0")}},
                   {{ok("1")}, {ok("2")}}});
    all.push_back({"HTTP/1.0 and chunks", {{get("/", "", "1.0")}}, {{ok_chunked(chunked("hello, world", 3))}}});
    all.push_back({"HTTP/1.0 kept, and chunks",
                   {{get("/", "Connection: keep-alive\r\n", "1.0")}},
                   {{ok_chunked(with_trailers)}}});
    all.push_back(
        {"HTTP/1.0 and tiny chunks", {{get("/", "", "1.0")}}, {{ok_chunked(chunked(std::string(3'000, 'x'), 1))}}});
    all.push_back({"HTTP/1.0 and 1xx", {{get("/", "", "1.0")}}, {{early_hints + ok("hello")}}});
    all.push_back(
        {"HTTP/1.0 POST", {{"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"}}, {{ok("done")}}});
    all.push_back({"a backend of HTTP/1.0",
                   {{get("/1") + get("/2")}},
                   {{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\none"}, {ok("2")}}});
    all.push_back({"a backend of HTTP/1.0 until the end",
                   {{get("/1")}},
                   {{"HTTP/1.0 200 OK\r\n\r\none", on::request, then::fin}}});
    all.push_back({"HTTP/1.7 is read as 1.1", {{get("/1", "", "1.7")}}, {{ok("1")}}});
}

void add_upgrades(std::vector<script>& all) {
    const std::string wants = get("/socket", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\n");
    const std::string switches =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    all.push_back({"a websocket",
                   {{wants}, {"ping", when::seen, "Switching Protocols"}},
                   {{switches, on::head}, {"pong", on::text, then::keep, false, "ping"}}});
    all.push_back({"a websocket whose backend speaks first",
                   {{wants}, {"ping", when::seen, "first"}},
                   {{switches + "first", on::head}, {"pong", on::text, then::keep, false, "ping"}}});
    all.push_back({"a websocket, and bytes behind the request",
                   {{wants + "ping"}},
                   {{switches, on::head}, {"pong", on::text, then::keep, false, "ping"}}});
    all.push_back({"a websocket that the client ends",
                   {{wants}, {"bye", when::seen, "Switching Protocols", true}},
                   {{switches, on::head}, {"pong", on::text, then::fin, false, "bye"}}});
    all.push_back({"a websocket that the backend ends",
                   {{wants}, {"ping", when::seen, "Switching Protocols"}},
                   {{switches, on::head}, {"pong", on::text, then::fin, false, "ping"}}});
    all.push_back({"a websocket refused", {{wants + get("/2")}}, {{ok("no", "", "400 Bad Request")}, {ok("2")}}});
    all.push_back({"an upgrade to h2c is dropped",
                   {{get("/", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n")}},
                   {{ok("1")}}});
    all.push_back(
        {"an upgrade to websocket and h2c",
         {{get("/", "Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n")}, {"ping", when::seen, "Switching"}},
         {{switches, on::head}, {"pong", on::text, then::keep, false, "ping"}}});
    all.push_back({"a 101 to something else",
                   {{wants}},
                   {{"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\nx", on::head}}});
}

// Over TCP, since only there an end is told from a reset.
void add_ends(std::vector<script>& all) {
    const auto ends = [&](std::string name, std::string request, std::string bytes, then how,
                          bool client_ends = false) {
        script made{std::move(name),
                    {{std::move(request), when::at_once, {}, client_ends}},
                    {{std::move(bytes), on::request, how}}};
        made.over = family::tcp;
        made.goes_wrong_late = true;
        all.push_back(std::move(made));
    };
    const std::string until_close = "HTTP/1.1 200 OK\r\n\r\nhello";
    ends("until the end, by FIN", get("/"), until_close, then::fin);
    ends("a length, cut short by FIN", get("/"), "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", then::fin);
    ends("chunks, cut short by FIN", get("/"), ok_chunked("5\r\nhello\r\n"), then::fin);
    ends("chunks for HTTP/1.0, cut short by FIN", get("/", "", "1.0"), ok_chunked("5\r\nhello\r\n"), then::fin);
    ends("trailers, cut short by FIN", get("/"), ok_chunked("5\r\nhello\r\n0\r\nX: y\r\n"), then::fin);
    ends("a head, cut short by FIN", get("/"), "HTTP/1.1 200 OK\r\nContent-Le", then::fin);
    ends("an augmented length, cut short by FIN", get("/api/v1/projects/ca29f7df-33ca-46dd-a015-92c46fdb6fd1?info"),
         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"a\":1}", then::fin);
    ends("an augmented body until the end", get("/api/v1/projects/ca29f7df-33ca-46dd-a015-92c46fdb6fd1?info"),
         "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"a\":1}", then::fin);
    ends("a response and a FIN at once", get("/"), ok("hello"), then::fin);
    ends("a client that ends its side", get("/"), ok("hello"), then::keep, true);
    ends("a client that ends its side behind a body", post("/", "hello"), ok("hello"), then::keep, true);
    ends("a POST answered until the end", post("/", "hello"), until_close, then::fin);
    script left{"a client that ends within its body",
                {{"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhello", when::at_once, {}, true}},
                {}};
    left.over = family::tcp;
    all.push_back(left);
    script half{"a client that ends within its head", {{"GET / HTTP/1.1\r\nHo", when::at_once, {}, true}}, {}};
    half.over = family::tcp;
    all.push_back(half);
}

} // namespace

std::vector<script> exchange_scripts() {
    std::vector<script> all;
    add_pipelines(all);
    add_bodies(all);
    add_early_responses(all);
    add_versions(all);
    add_upgrades(all);
    add_ends(all);
    return all;
}

} // namespace cuts
