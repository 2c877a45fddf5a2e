// The answers of which readers could disagree, and those that are none.
#include "tests/peers/cases.hpp"

#include <string_view>

namespace cases {

namespace {

using namespace std::string_literals;

std::string ok(std::string_view lines, std::string_view body = "5\r\nhello\r\n0\r\n\r\n") {
    return "HTTP/1.1 200 OK\r\n" + std::string(lines) + "\r\n" + std::string(body);
}
std::string line(std::string_view status_line) { return std::string(status_line) + "\r\nContent-Length: 0\r\n\r\n"; }

} // namespace

std::vector<hostile_answer> hostile_answers() {
    std::vector<hostile_answer> all;
    for (const auto& coding :
         {"xchunked"s, "\"chunked\""s, "chun ked"s, "gzip"s, "identity"s, ""s, "chunked, identity"s, "chunked, gzip"s,
          "chunked, chunked"s, "gzip, chunked"s, "chunked;q=1"s,
          "\xa0"
          "chunked"s,
          "chun\xe2\x84\xaa"
          "ed"s,
          "chunked\0"s})
        all.push_back({"Transfer-Encoding: " + coding, ok("Transfer-Encoding: " + coding + "\r\n")});
    for (const auto& length : {"+5"s, "-5"s, "0x5"s, "5, 5"s, "5, 6"s, "five"s, ""s, "9223372036854775808"s,
                               "18446744073709551621"s, "5 5"s})
        all.push_back({"Content-Length: " + length, ok("Content-Length: " + length + "\r\n", "hello")});
    const auto bad = [&](const char* name, std::string bytes, bool ends = false) {
        all.push_back({name, std::move(bytes), ends});
    };
    bad("two Transfer-Encoding lines", ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"));
    bad("a length and chunks", ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"));
    bad("chunks and a length", ok("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"));
    bad("another coding beside a length", ok("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", "hello"));
    bad("two equal lengths", ok("Content-Length: 5\r\nContent-Length: 5\r\n", "hello"));
    bad("two lengths that differ", ok("Content-Length: 5\r\nContent-Length: 6\r\n", "hello"));
    bad("chunks in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n");
    bad("a length in a 204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello");
    bad("chunks in a 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
    bad("a 101 nobody asked for",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    bad("a 101 to another protocol", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n");
    bad("a 101 without Upgrade", "HTTP/1.1 101 Switching Protocols\r\n\r\n");
    bad("nothing behind a 100", "HTTP/1.1 100 Continue\r\n\r\n", true);
    bad("a folded line", ok("A: b\r\n c\r\nContent-Length: 0\r\n", ""));
    bad("a line folded with a tab", ok("A: b\r\n\tc\r\nContent-Length: 0\r\n", ""));
    bad("a fold before the first field", "HTTP/1.1 200 OK\r\n A: b\r\nContent-Length: 0\r\n\r\n");
    bad("a bare LF", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n");
    bad("a bare LF behind a field", ok("A: b\nC: d\r\nContent-Length: 0\r\n", ""));
    bad("a bare CR in a value", ok("A: b\rc\r\nContent-Length: 0\r\n", ""));
    bad("a NUL in a value", ok("A: b\0c\r\nContent-Length: 0\r\n"s, ""));
    bad("a control byte in a value", ok("A: \x01\r\nContent-Length: 0\r\n", ""));
    bad("a blank before the name", ok(" A: b\r\nContent-Length: 0\r\n", ""));
    bad("a tab before a length", ok("Content-Length:\t0\r\n", ""));
    bad("a name that is no token", ok("A(: b\r\nContent-Length: 0\r\n", ""));
    bad("no colon", ok("A\r\nContent-Length: 0\r\n", ""));
    bad("no name", ok(": b\r\nContent-Length: 0\r\n", ""));
    for (const char* const status_line :
         {"HTTP/1.1 000 Zero", "HTTP/1.1 099 Low", "HTTP/1.1 600 High", "HTTP/1.1 999 Higher", "HTTP/1.1 20 Short",
          "HTTP/1.1 2000 Long", "HTTP/1.1 2xx Letters", "HTTP/1.1 -20 Signed", "HTTP/1.1  200 Blanks", "HTTP/1.1200 OK",
          "HTTP/2 200 OK", "HTTP/2.0 200 OK", "HTTP/0.9 200 OK", "http/1.1 200 OK", "ICY 200 OK", "200 OK",
          " HTTP/1.1 200 OK", "HTTP/1.1\t200\tOK", "HTTP/1.1 200 O\x01K"})
        bad(status_line, line(status_line));
    bad("rubbish", "rubbish\r\n\r\n");
    bad("a page without a head", "<html></html>", true);
    bad("the alert of TLS", "\x15\x03\x01\x00\x02\x02\x16"s, true);
    bad("nothing", "", true);
    bad("half a status line", "HTTP/1.1 20", true);
    bad("half a head", "HTTP/1.1 200 OK\r\nContent-Le", true);
    bad("a head without its empty line", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n", true);
    return all;
}

} // namespace cases
