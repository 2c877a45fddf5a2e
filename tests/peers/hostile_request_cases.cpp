// The requests of which readers could disagree: what Beast's parser lets pass, and what no parser should.
#include "tests/peers/cases.hpp"

#include <string_view>

namespace cases {

namespace {

using namespace std::string_literals;

std::string post(std::string_view lines, std::string_view body = "5\r\nhello\r\n0\r\n\r\n") {
    return "POST /p HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n" + std::string(body);
}
std::string with(std::string_view lines) { return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(lines) + "\r\n"; }
std::string get(std::string_view target) { return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\n\r\n"; }
std::string to_host(std::string_view lines) { return "GET / HTTP/1.1\r\n" + std::string(lines) + "\r\n"; }

} // namespace

std::vector<hostile_request> hostile_framing() {
    std::vector<hostile_request> all;
    for (const auto& coding : {"xchunked"s,
                               "\"chunked\""s,
                               "chun ked"s,
                               "gzip"s,
                               "identity"s,
                               ""s,
                               "chunked, identity"s,
                               "chunked, chunked"s,
                               "chunked,"s,
                               ", chunked"s,
                               "gzip, chunked"s,
                               "identity, chunked"s,
                               "chunked;q=1"s,
                               "chunked; q=1"s,
                               "chunkedx"s,
                               "\xa0"
                               "chunked"s,
                               "chunked\xa0"s,
                               "chun\xe2\x84\xaa"
                               "ed"s,
                               "\x0b"
                               "chunked"s,
                               "chunked\x0b"s,
                               "chunked\0"s,
                               "'chunked'"s,
                               "chunked chunked"s})
        all.push_back({"Transfer-Encoding: " + coding, post("Transfer-Encoding: " + coding + "\r\n")});
    for (const auto& lengths : {"+5"s,
                                "-5"s,
                                "0x5"s,
                                "5 5"s,
                                "5;"s,
                                "5, 5"s,
                                "5,5"s,
                                "5,"s,
                                ",5"s,
                                "5, 6"s,
                                "five"s,
                                ""s,
                                "5.0"s,
                                "5e0"s,
                                "\"5\""s,
                                "\xb5"s,
                                "9223372036854775808"s,
                                "18446744073709551616"s,
                                "18446744073709551621"s,
                                "340282366920938463463374607431768211461"s,
                                "5\x0b"s,
                                "5\0"s,
                                "5_0"s})
        all.push_back({"Content-Length: " + lengths, post("Content-Length: " + lengths + "\r\n", "hello")});
    const auto both = [&](const char* name, std::string_view lines) { all.push_back({name, post(lines)}); };
    both("two Transfer-Encoding lines", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n");
    both("two Transfer-Encoding lines, the last another",
         "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n");
    both("two Transfer-Encoding lines, the first another", "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n");
    both("a length before chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n");
    both("a length behind chunks", "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n");
    both("a length of 0 and chunks", "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n");
    both("another coding before a length", "Transfer-Encoding: gzip\r\nContent-Length: 5\r\n");
    both("a length before another coding", "Content-Length: 5\r\nTransfer-Encoding: identity\r\n");
    both("two equal lengths", "Content-Length: 5\r\nContent-Length: 5\r\n");
    both("two lengths that differ", "Content-Length: 5\r\nContent-Length: 6\r\n");
    both("5 and 05", "Content-Length: 5\r\nX: y\r\ncontent-length: 05\r\n");
    both("content_length beside a length", "Content-Length: 15\r\ncontent_length: 5\r\n");
    both("transfer_encoding", "transfer_encoding: chunked\r\n");
    both("Transfer_Encoding beside a length", "Content-Length: 15\r\nTransfer_Encoding: chunked\r\n");
    both("Content_Length alone", "Content_Length: 15\r\n");
    both("a blank before the colon of Transfer-Encoding", "Transfer-Encoding : chunked\r\n");
    both("a blank before the colon of Content-Length", "Content-Length : 15\r\n");
    both("a folded Transfer-Encoding", "Transfer-Encoding:\r\n chunked\r\n");
    both("a folded Content-Length", "Content-Length: 1\r\n 5\r\n");
    both("a tab before chunked", "Transfer-Encoding:\tchunked\r\n");
    both("a tab behind chunked", "Transfer-Encoding: chunked\t\r\n");
    both("a tab before a length", "Content-Length:\t15\r\n");
    all.push_back({"chunks in HTTP/1.0",
                   "POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"});
    all.push_back({"another coding in HTTP/1.0",
                   "POST /p HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"});
    return all;
}

std::vector<hostile_request> hostile_hosts() {
    std::vector<hostile_request> all{
        {"no Host", to_host("")},
        {"two equal Host lines", to_host("Host: a\r\nHost: a\r\n")},
        {"two Host lines", to_host("Host: a\r\nX: y\r\nhost: b\r\n")},
        {"a folded Host", to_host("Host:\r\n a\r\n")},
        {"a Host folded in the middle", to_host("Host: a\r\n\tb\r\n")},
        {"a blank before the colon of Host", to_host("Host : a\r\n")},
        {"an absolute target and no Host", "GET http://a/ HTTP/1.1\r\n\r\n"},
        {"an absolute target and two Hosts", "GET http://a/ HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
        {"an absolute target and a bad Host", "GET http://a/ HTTP/1.1\r\nHost: a/b\r\n\r\n"},
    };
    for (const auto& host :
         {"a, b"s,    "a,b"s,  "a b"s,   "u@h"s,      "u:p@h"s, "/"s,    "a/b"s,       "a?"s,    "a#"s,      "\"a\""s,
          "a\\b"s,    "[::1"s, "::1"s,   "a]"s,       "[1]"s,   "[]"s,   "[::1]x"s,    "[::g]"s, "[::1]:x"s, "a:b"s,
          "a:99999"s, "a:-1"s, "a:+80"s, "a:80:80"s,  "a:8 0"s, ":80"s,  "a\xc3\xa4"s, "\xff"s,  "a|b"s,     "<a>"s,
          "a^b"s,     "a%"s,   "a%zz"s,  "http://a"s, "a\x01"s, "a\0b"s, "{a}"s})
        all.push_back({"Host: " + host, to_host("Host: " + host + "\r\n")});
    return all;
}

std::vector<hostile_request> hostile_targets() {
    std::vector<hostile_request> all{
        {"CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"},
        {"CONNECT with a path", "CONNECT / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"CONNECT and what follows it",
         "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"POST *", "POST * HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"},
        {"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    };
    for (const auto& target :
         {"x/y"s,          "?x"s,          "@evil/x"s, ".evil/x"s,   "\\x"s,          "*"s,
          "*x"s,           "h:80"s,        "http://"s, "http:///x"s, "http://u@h/x"s, "http://a b/"s,
          "http://a:b/"s,  "http://a,b/"s, "http:/a"s, "http:a"s,    "://a/"s,        "ftp://a/x"s,
          "javascript:x"s, "#"s,           "/a#b"s,    "/#"s,        "/a\x01"s,       "/a\x7f"s,
          "/a\0b"s,        "/a\tb"s,       "/a\x0b"s,  ""s,          "http://a\\b/"s, "http://[::1/"s})
        all.push_back({"target " + target, get(target)});
    return all;
}

std::vector<hostile_request> hostile_lines() {
    std::vector<hostile_request> all{
        {"no version", "GET /\r\nHost: a\r\n\r\n"},
        {"HTTP/0.9", "GET / HTTP/0.9\r\nHost: a\r\n\r\n"},
        {"HTTP/2.0", "GET / HTTP/2.0\r\nHost: a\r\n\r\n"},
        {"HTTP/1.10", "GET / HTTP/1.10\r\nHost: a\r\n\r\n"},
        {"HTTP/1.", "GET / HTTP/1.\r\nHost: a\r\n\r\n"},
        {"HTTP/11", "GET / HTTP/11\r\nHost: a\r\n\r\n"},
        {"http/1.1", "GET / http/1.1\r\nHost: a\r\n\r\n"},
        {"HTTP /1.1", "GET / HTTP /1.1\r\nHost: a\r\n\r\n"},
        {"another protocol", "GET / ICE/1.1\r\nHost: a\r\n\r\n"},
        {"two blanks behind the method", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"two blanks before the version", "GET /  HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a blank behind the version", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n"},
        {"a tab for a blank", "GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a blank in front", " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a word too many", "GET / x HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"no target", "GET HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"no method", " / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a method that is no token", "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a method with a byte above 127", "G\xc3\x8bT / HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a NUL in the method", "GE\0T / HTTP/1.1\r\nHost: a\r\n\r\n"s},
        {"the hello of TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s},
        {"a bare LF alone", "GET / HTTP/1.1\nHost: a\n\n"},
        {"a bare LF at the end of the head", "GET / HTTP/1.1\r\nHost: a\r\n\n"},
        {"a bare CR in the request line", "GET /\r HTTP/1.1\r\nHost: a\r\n\r\n"},
        {"a bare LF behind the request line", "GET / HTTP/1.1\nHost: a\r\n\r\n"},
        {"a bare LF behind a field", with("A: b\nC: d\r\n")},
        {"a bare CR behind a field", with("A: b\rC: d\r\n")},
        {"a bare CR within a value", with("A: b\rc\r\n")},
        {"CR CR LF", with("A: b\r\r\n")},
        {"a NUL in a value", with("A: b\0c\r\n"s)},
        {"a NUL in a name", with("A\0B: c\r\n"s)},
        {"a control byte in a value", with("A: b\x01"
                                           "c\r\n")},
        {"an escape in a value", with("A: \x1b[31m\r\n")},
        {"DEL in a value", with("A: b\x7f\r\n")},
        {"a vertical tab in a value", with("A: b\x0b"
                                           "c\r\n")},
        {"a folded line", with("A: b\r\n c\r\n")},
        {"a line folded with a tab", with("A: b\r\n\tc\r\n")},
        {"a folded empty line", with("A: b\r\n \r\n")},
        {"a line folded at the end", "GET / HTTP/1.1\r\nHost: a\r\nA: b\r\n \r\n\r\n"},
        {"a fold before the first field", "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
        {"a blank first line", "GET / HTTP/1.1\r\n \r\nHost: a\r\n\r\n"},
        {"a blank before the colon", with("A : b\r\n")},
        {"a Connection that is no list", with("Connection: x-a x-b\r\n")},
        {"a tab before the colon", with("A\t: b\r\n")},
        {"65 options in Connection", with("Connection: a" +
                                          [] {
                                              std::string more;
                                              for (int i = 1; i < 65; ++i) more += ",a";
                                              return more;
                                          }() +
                                          "\r\n")},
        {"no colon", with("A\r\n")},
        {"no name", with(": b\r\n")},
        {"a blank in a name", with("A B: c\r\n")},
        {"a name in quotes", with("\"A\": b\r\n")},
        {"a name with brackets", with("A[0]: b\r\n")},
        {"a name with a slash", with("A/B: c\r\n")},
        {"a name with a byte above 127", with("\xc3\x84: b\r\n")},
    };
    return all;
}

std::vector<hostile_body> hostile_chunks() {
    std::vector<hostile_body> all;
    const auto size = [&](std::string_view line) {
        all.push_back(
            {"chunk size '" + std::string(line) + "'", "1\r\na\r\n" + std::string(line) + "\r\nhello\r\n0\r\n\r\n"});
    };
    for (const auto& line :
         {""s, "g"s, "0x5"s, "+5"s, "-5"s, " 5"s, "5 "s, "5\t"s, "5 ;a"s, "5,"s, "5.0"s, "\xb5"s, "5\0"s, "5\x0b"s,
          "5h"s, "8000000000000000"s, "ffffffffffffffff"s, "10000000000000005"s, "100000000000000000000000000000005"s})
        size(line);
    const auto body = [&](const char* name, std::string text) { all.push_back({name, std::move(text)}); };
    body("a bare LF behind the size", "5\nhello\r\n0\r\n\r\n");
    body("a bare CR behind the size", "5\rhello\r\n0\r\n\r\n");
    body("CR CR LF behind the size", "5\r\r\nhello\r\n0\r\n\r\n");
    body("more than the size says", "5\r\nhello!\r\n0\r\n\r\n");
    body("less than the size says", "5\r\nhell\r\n0\r\n\r\n");
    body("no line end behind the chunk", "5\r\nhello0\r\n\r\n");
    body("a bare LF behind the chunk", "5\r\nhello\n0\r\n\r\n");
    body("a bare CR behind the chunk", "5\r\nhello\r0\r\n\r\n");
    body("a bare LF behind the last size", "5\r\nhello\r\n0\n\r\n");
    body("a NUL in an extension", "5;a=\0b\r\nhello\r\n0\r\n\r\n"s);
    body("a NUL in a quoted extension", "5;a=\"\0\"\r\nhello\r\n0\r\n\r\n"s);
    body("a LF in a quoted extension", "5;a=\"x\ny\"\r\nhello\r\n0\r\n\r\n");
    body("a line end in a quoted extension", "5;a=\"x\r\ny\"\r\nhello\r\n0\r\n\r\n");
    body("a CR in an extension", "5;a=x\ry\r\nhello\r\n0\r\n\r\n");
    body("a LF in an extension", "5;a=x\nhello\r\n0\r\n\r\n");
    body("a folded trailer", "0\r\nA: b\r\n c\r\n\r\n");
    body("a trailer without a name", "0\r\n: b\r\n\r\n");
    body("a trailer without a colon", "0\r\nAb\r\n\r\n");
    body("a trailer with a blank before the colon", "0\r\nA : b\r\n\r\n");
    body("a NUL in a trailer", "0\r\nA: \0\r\n\r\n"s);
    body("a bare LF in a trailer", "0\r\nA: b\nC: d\r\n\r\n");
    body("a bare CR in a trailer", "0\r\nA: b\rC: d\r\n\r\n");
    for (const auto* const extension : {"", "=b", "=", " ", "a=", "a==b", "a b", "a=b c", "a=\"b", "a=\"b\"c",
                                        "a=b\"c\"", "a;", ";a", "a=b ", "a ", "(a)", "a=(b)"})
        size("5;"s + extension);
    size("00000000000000005");
    body("an extension of the last chunk that is none", "5\r\nhello\r\n0;\r\n\r\n");
    body("a million zeros", std::string(1'000'000, '0') + "5\r\nhello\r\n0\r\n\r\n");
    body("a million bytes of extension", "5;" + std::string(1'000'000, 'a') + "\r\nhello\r\n0\r\n\r\n");
    body("a million bytes of trailer", "0\r\nA: " + std::string(1'000'000, 'a') + "\r\n\r\n");
    return all;
}

} // namespace cases
