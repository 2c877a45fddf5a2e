#include "tests/peers/cases.hpp"

#include <string_view>

namespace cases {

namespace {

using namespace std::string_literals;

const std::string good = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }
std::string with(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }
std::string post(std::string_view lines, std::string_view body) {
    return "POST /p HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n" + std::string(body);
}
std::string answer(std::string_view status, std::string_view lines) {
    return "HTTP/1.1 " + std::string(status) + "\r\n" + std::string(lines) + "Content-Length: 2\r\n\r\nok";
}

std::string every_byte() {
    std::string bytes;
    for (int c = 0; c < 256; ++c) bytes += static_cast<char>(c);
    return bytes;
}

} // namespace

std::vector<transparent> targets() {
    std::vector<transparent> all;
    for (const char* const target : {"/",
                                     "/a/b",
                                     "/a%2Fb",
                                     "/a%2fb",
                                     "//a//b//",
                                     "/a/./b/../c",
                                     "/..",
                                     "/a;x=1;y",
                                     "/;",
                                     "/a?",
                                     "/?",
                                     "/a??b",
                                     "/a?b=c&d;e",
                                     "/%7e~%41",
                                     "/a%00b",
                                     "/a%zz",
                                     "/a%",
                                     "/a?x[]=1&x[]=2",
                                     "/a?%7B%7D",
                                     "/a?u=http://b/c",
                                     "/http://b/",
                                     "/a:b@c",
                                     "/a+b?c+d",
                                     "/a,b'c(d)*e!$&=",
                                     "/a?info&info=&%69nfo",
                                     "/*",
                                     "/a\xc3\xa4",
                                     "/\xff",
                                     "/x?name_contains=M\xc3\xbcller"})
        all.push_back({"target "s + target, get(target)});
    all.push_back({"a target of 8 KiB", get("/" + std::string(8192, 'a'))});
    all.push_back({"OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n"});
    const auto absolute = [&](std::string_view target, std::string_view origin_form) {
        all.push_back({"absolute form " + std::string(target), get(target), good, get(origin_form)});
    };
    absolute("http://a/x?y", "/x?y");
    absolute("http://a/", "/");
    absolute("http://a", "/");
    absolute("http://a?q", "/?q");
    absolute("HTTP://a/x", "/x");
    absolute("http://a//x%2F", "//x%2F");
    return all;
}

std::vector<transparent> request_heads() {
    std::vector<transparent> all{
        {"order and case of the field names",
         with("x-b: 1\r\nX-A: 2\r\nX-b: 3\r\nACCEPT: */*\r\naCCEPT-lANGUAGE: de\r\n")},
        {"equal names where they stood", with("A: 1\r\nB: 2\r\nA: 3\r\nB: 4\r\nA: 1\r\n")},
        {"several Cookie lines", with("Cookie: a=1\r\nX: y\r\nCookie: b=2; c=3\r\n")},
        {"Host last, in another case", "GET / HTTP/1.1\r\nA: b\r\nhOST: a\r\n\r\n"},
        {"Host with a port", "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n"},
        {"Host with an IPv6 address", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"},
        {"Host with an underscore", "GET / HTTP/1.1\r\nHost: my_service.default.svc\r\n\r\n"},
        {"an empty Host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"},
        {"blanks around values", with("A:b\r\nC:   d\r\nE: f   \r\nG:\th\t\r\n")},
        {"empty values", with("A:\r\nB: \r\nAuthorization:\r\nC:  \t \r\n")},
        {"blanks and tabs within a value", with("A: b  c\td\r\n")},
        {"every sign a name may have", with("!#$%&'*+-.^_`|~09azAZ: x\r\n")},
        {"a name with underscores", with("X_Under_Score: x\r\n")},
        {"bytes above 127 in a value", with("A: \x80\xff\xc3\xa4\r\n")},
        {"every printable sign in a value", with("A: !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~\r\n")},
        {"a bare token as Authorization", with("Authorization: eyJhbGciOiJIUzI1NiJ9.e30.c2ln\r\n")},
        {"forwarding fields of another proxy",
         with("X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nVia: 1.1 vegur\r\nForwarded: for=1.2.3.4\r\n"
              "X-Request-Id: 7\r\nX-Request-Start: 1700000000000\r\nX-Forwarded-Host: b\r\nX-Real-IP: 1.2.3.4\r\n")},
        {"conditions, ranges and codings",
         with(
             "If-None-Match: W/\"a\", \"b\"\r\nIf-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT\r\nRange: bytes=0-1\r\n"
             "If-Range: \"a\"\r\nAccept-Encoding: gzip, br;q=0.1\r\n")},
        {"Max-Forwards and proxy credentials", with("Max-Forwards: 0\r\nProxy-Authorization: Basic YTpi\r\n")},
        {"a field of 64 KiB", with("A: " + std::string(65'000, 'b') + "\r\n")},
        {"64 KiB of fields", with([] {
             std::string lines;
             for (int i = 0; i < 64; ++i) lines += "X-" + std::to_string(i) + ": " + std::string(1000, 'y') + "\r\n";
             return lines;
         }())},
        {"HTTP/1.2 is read as HTTP/1.1", "GET / HTTP/1.2\r\nHost: a\r\nA: b\r\n\r\n", good, with("A: b\r\n")},
        {"Host with a later kind of address", "GET / HTTP/1.1\r\nHost: [v1.a]\r\n\r\n"},
        {"Host with an apostrophe", "GET / HTTP/1.1\r\nHost: a'b\r\n\r\n"},
        {"empty lines before the request", "\r\n\r\n" + get("/x"), good, get("/x")},
    };
    for (const char* const method : {"PUT", "DELETE", "PATCH", "PROPFIND", "M-SEARCH", "TRACE", "OPTIONS", "get", "X!"})
        all.push_back({"method "s + method, method + " /m HTTP/1.1\r\nHost: a\r\n\r\n"s});
    return all;
}

std::vector<transparent> request_bodies() {
    return {
        {"a body with a length", post("Content-Length: 5\r\n", "hello")},
        {"an empty body", post("Content-Length: 0\r\n", "")},
        {"a length with zeros in front", post("Content-Length: 005\r\n", "hello")},
        {"a POST without any", post("", "")},
        {"every byte", post("Content-Length: 256\r\n", every_byte())},
        {"a body that looks like a request", post("Content-Length: 37\r\n", get("/smuggled?x=y").substr(0, 37))},
        {"a body behind a GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi"},
        {"chunks", post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n")},
        {"no chunk but the last", post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"Chunked in another case", post("transfer-encoding: Chunked\r\n", "1\r\na\r\n0\r\n\r\n")},
        {"chunk sizes in both cases with zeros in front",
         post("Transfer-Encoding: chunked\r\n", "00a\r\n0123456789\r\n00000A\r\n0123456789\r\n000\r\n\r\n")},
        {"chunk extensions",
         post("Transfer-Encoding: chunked\r\n", "5;a=b;c\r\nhello\r\n3;q=\"x;\\\"y, z\"\r\nabc\r\n0;last=1\r\n\r\n")},
        {"trailers", post("Trailer: X-Sum, x-b\r\nTransfer-Encoding: chunked\r\n",
                          "5\r\nhello\r\n0\r\nX-Sum: 1\r\nx-b:2\r\nX-Sum:  3 \r\nX-Empty:\r\n\r\n")},
        {"blanks in a chunk extension where a reader must take them",
         post("Transfer-Encoding: chunked\r\n", "5; a = b\t; c ;d=\"e\" ;f\r\nhello\r\n0\r\n\r\n")},
        {"foreign trailers are left out",
         post("Transfer-Encoding: chunked\r\n",
              "5\r\nhello\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\ntransfer-encoding: chunked\r\nHost: "
              "b\r\nAuthorization: "
              "c\r\nX-b: 2\r\nContent-Type: d\r\nTrailer: e\r\nX_Forwarded_For: f\r\n\r\n"),
         good, post("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-b: 2\r\n\r\n")},
        {"foreign trailers alone", post("Transfer-Encoding: chunked\r\n", "0\r\nSet-Cookie: a\r\n\r\n"), good,
         post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"a digest as a trailer", post("Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nContent-Digest: x\r\n\r\n")},
        {"chunks of every byte", post("Transfer-Encoding: chunked\r\n", "100\r\n" + every_byte() + "\r\n0\r\n\r\n")},
    };
}

std::vector<transparent> hop_by_hop() {
    const auto dropped = [](std::string name, std::string_view lines, std::string_view kept = "") {
        return transparent{std::move(name), with(lines), good, with(kept)};
    };
    return {
        dropped("Connection: keep-alive", "A: b\r\nConnection: keep-alive\r\nC: d\r\n", "A: b\r\nC: d\r\n"),
        dropped("Keep-Alive", "Connection: Keep-Alive\r\nKeep-Alive: timeout=5\r\nC: d\r\n", "C: d\r\n"),
        dropped("Proxy-Connection", "Proxy-Connection: close\r\nC: d\r\n", "C: d\r\n"),
        dropped("what Connection names", "X-Hop: 1\r\nConnection: x-hop, Other\r\nX-End: 2\r\nother: 3\r\nX-HOP: 4\r\n",
                "X-End: 2\r\n"),
        dropped("two Connection lines", "Connection: x-a\r\nX-A: 1\r\nX-B: 2\r\nConnection: X-B\r\nX-C: 3\r\n",
                "X-C: 3\r\n"),
        dropped("TE: gzip", "TE: gzip\r\nConnection: TE\r\nC: d\r\n", "C: d\r\n"),
        dropped("TE: trailers stays", "TE: trailers\r\nConnection: TE\r\nC: d\r\n",
                "TE: trailers\r\nC: d\r\nConnection: TE\r\n"),
        dropped("TE: trailers without Connection", "te: Trailers\r\nC: d\r\n",
                "te: Trailers\r\nC: d\r\nConnection: TE\r\n"),
        dropped("TE: trailers of a list stays", "TE: gzip;q=0.5, trailers\r\nConnection: keep-alive, TE\r\nC: d\r\n",
                "TE: trailers\r\nC: d\r\nConnection: TE\r\n"),
        dropped("TE: trailers in a second line", "TE: gzip\r\nC: d\r\nTE: trailers\r\nTE: trailers\r\n",
                "C: d\r\nTE: trailers\r\nConnection: TE\r\n"),
        dropped("TE: trailers with a weight is none", "TE: trailers;q=0\r\nC: d\r\n", "C: d\r\n"),
        dropped("an upgrade to h2c",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nC: d\r\n",
                "C: d\r\n"),
        dropped("an upgrade to other versions", "Connection: Upgrade\r\nUpgrade: HTTP/2.0, SHTTP/1.3\r\nC: d\r\n",
                "C: d\r\n"),
        dropped("a Proxy-Connection that is no list", "Proxy-Connection: \"x\r\nC: d\r\n", "C: d\r\n"),
        dropped("an upgrade without Connection", "Upgrade: websocket\r\nC: d\r\n", "C: d\r\n"),
        dropped("Connection can't name Host", "Connection: Host, X-A\r\nX-A: 1\r\nC: d\r\n", "C: d\r\n"),
        {"Connection can't name Content-Length", post("Content-Length: 2\r\nConnection: content-length\r\n", "hi"),
         good, post("Content-Length: 2\r\n", "hi")},
        {"Connection can't name Transfer-Encoding",
         post("Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n"), good,
         post("Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n")},
        {"Connection in an answer",
         get("/"),
         answer("200 OK", "A: b\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5, max=9\r\nC: d\r\n"),
         {},
         answer("200 OK", "A: b\r\nC: d\r\n")},
        {"what Connection names in an answer",
         get("/"),
         answer("200 OK", "X-Hop: 1\r\nConnection: x-hop\r\nC: d\r\n"),
         {},
         answer("200 OK", "C: d\r\n")},
        {"Connection can't name Content-Length in an answer",
         get("/"),
         answer("200 OK", "Connection: Content-Length\r\n"),
         {},
         answer("200 OK", "")},
        {"Upgrade in a 426",
         get("/"),
         answer("426 Upgrade Required", "Upgrade: TLS/1.0, HTTP/1.1\r\nConnection: Upgrade\r\nC: d\r\n"),
         {},
         answer("426 Upgrade Required", "C: d\r\n")},
        {"Upgrade in a 200",
         get("/"),
         answer("200 OK", "Upgrade: h2,h2c\r\nConnection: Upgrade\r\nC: d\r\n"),
         {},
         answer("200 OK", "C: d\r\n")},
    };
}

std::vector<transparent> answer_heads() {
    std::vector<transparent> all{
        {"no Date, no Server", get("/"), answer("200 OK", "")},
        {"order, case and repeats", get("/"),
         answer("200 OK", "b: 1\r\nA: 2\r\nB: 3\r\nSet-Cookie: a=1\r\nX: y\r\nset-cookie: b=2\r\nSet-Cookie: a=1\r\n")},
        {"fields a server sends", get("/"),
         answer("200 OK",
                "Server: puma\r\nDate: Sat, 29 Oct 1994 19:43:31 GMT\r\nVia: 1.0 x\r\nVary: Origin\r\nETag: "
                "W/\"x\"\r\nX-Next-Page: \r\nAccept-Ranges: bytes\r\nContent-MD5: x\r\nAlt-Svc: h2=\":443\"\r\n")},
        {"bytes above 127", get("/"), answer("200 \xc3\x96k", "A: \xff\x80\r\n")},
        {"blanks around values", get("/"), answer("200 OK", "A:b\r\nC:  d \r\nE:\r\n")},
        {"an empty reason phrase", get("/"), answer("200 ", "")},
        {"a blank before the colon goes",
         get("/"),
         answer("200 OK", "Foo : bar\r\nA\t:b\r\n"),
         {},
         answer("200 OK", "Foo: bar\r\nA:b\r\n")},
        {"HTTP/1.2 of a backend", get("/"), "HTTP/1.2 200 OK\r\nContent-Length: 2\r\n\r\nok", {}, good},
        {"a length in a 100 goes",
         get("/"),
         "HTTP/1.1 100 Continue\r\nContent-Length: 0\r\nA: b\r\n\r\n" + good,
         {},
         "HTTP/1.1 100 Continue\r\nA: b\r\n\r\n" + good},
        {"chunks in a 103 go",
         get("/"),
         "HTTP/1.1 103 Early Hints\r\nTransfer-Encoding: chunked\r\nContent-Length: 7\r\n\r\n" + good,
         {},
         "HTTP/1.1 103 Early Hints\r\n\r\n" + good},
        {"another reason phrase", get("/"), answer("200 All is well (really)", "")},
        {"a redirect", get("/"), answer("302 Found", "Location: http://a/b%2F\r\n")},
        {"a challenge", get("/"),
         answer("401 Unauthorized", "WWW-Authenticate: Basic\r\nProxy-Authenticate: Basic\r\n")},
        {"X-Accel and X-Sendfile are the backend's own words", get("/"),
         answer("200 OK", "X-Accel-Redirect: /x\r\nX-Sendfile: /y\r\nX-Accel-Buffering: no\r\n")},
        {"100 KiB of fields", get("/"),
         answer("200 OK", "A: " + std::string(50'000, 'b') + "\r\nC: " + std::string(50'000, 'd') + "\r\n")},
        {"103 before the answer", get("/"),
         "HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\n\r\n" + answer("200 OK", "")},
        {"several 1xx", get("/"),
         "HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 103 \r\n\r\nHTTP/1.1 199 "
         "Odd\r\nC: d\r\n\r\n" +
             answer("200 OK", "")},
    };
    for (const char* const status :
         {"201 Created", "202 Accepted", "226 IM Used", "299 Odd", "300 Multiple Choices", "400 Bad Request",
          "404 Not Found", "418 I'm a teapot", "451 Legal", "500 Error", "502 Bad Gateway", "503 Busy", "599 Odd"})
        all.push_back({"status "s + status, get("/"), answer(status, "")});
    return all;
}

std::vector<transparent> answer_bodies() {
    const auto ok = [](std::string_view lines, std::string_view body) {
        return "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n" + std::string(body);
    };
    const std::string head_request = "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n";
    return {
        {"every byte", get("/"), ok("Content-Length: 256\r\n", every_byte())},
        {"an empty body", get("/"), ok("Content-Length: 0\r\n", "")},
        {"chunks", get("/"),
         ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n00a;x=\"y\"\r\n0123456789\r\n0\r\n\r\n")},
        {"no chunk but the last", get("/"), ok("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        {"trailers", get("/"),
         ok("Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n",
            "5;a\r\nhello\r\n0;z\r\nX-Sum: 1\r\nx-b:2\r\nX-Sum: 3\r\n\r\n")},
        {"foreign trailers are left out",
         get("/"),
         ok("Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\nSet-Cookie: a\r\nX-Sum: 1\r\nContent-Type: b\r\nWWW-Authenticate: c\r\n\r\n"),
         {},
         ok("Transfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n")},
        {"gzip stays gzip", get("/"), ok("Content-Encoding: gzip\r\nContent-Length: 4\r\n", "\x1f\x8b\x08\xff"s)},
        {"a part of the whole", get("/"),
         "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-1/5\r\nContent-Length: 2\r\n\r\nhe"},
        {"until the end", get("/"), ok("A: b\r\n", "hello"), {}, ok("A: b\r\nConnection: close\r\n", "hello"), true},
        {"nothing until the end", get("/"), ok("A: b\r\n", ""), {}, ok("A: b\r\nConnection: close\r\n", ""), true},
        {"HEAD with a length", head_request, ok("Content-Length: 5000\r\nETag: \"x\"\r\n", "")},
        {"HEAD with chunks", head_request, ok("Transfer-Encoding: chunked\r\n", "")},
        {"HEAD with neither", head_request, ok("Content-Type: application/json\r\n", "")},
        {"204", get("/"), "HTTP/1.1 204 No Content\r\nA: b\r\n\r\n"},
        {"304 with the length of what it stands for", get("/"),
         "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 5000\r\n\r\n"},
        {"304 with nothing", get("/"), "HTTP/1.1 304 Not Modified\r\n\r\n"},
    };
}

} // namespace cases
