// Exchanges that the rules select: augmented, gated, learned from; and bytes behind the end on each of those paths.
#include "tests/cuts/exchanges.hpp"
#include "tests/harness/http_text.hpp"

namespace cuts {

namespace {

using harness::chunked;
using when = part::when;
using on = reply::on;
using then = reply::then;

const std::string id = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1"; // not ready
const std::string new_id = "0a29f7df-33ca-46dd-a015-92c46fdb6fd1";
const std::string target = "/api/v1/projects/" + id + "?info";
const std::string json = "Content-Type: application/json\r\n";
const std::string poison = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nPOISON";

std::string get(const std::string& lines = "", const std::string& where = target, const std::string& method = "GET",
                const std::string& version = "1.1") {
    return method + " " + where + " HTTP/" + version + "\r\nHost: a\r\n" + lines + "\r\n";
}
std::string ok(const std::string& lines, const std::string& body, const std::string& status = "200 OK") {
    return "HTTP/1.1 " + status + "\r\n" + lines + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string ok_chunked(const std::string& lines, const std::string& body, const std::string& trailers = "",
                       const std::string& status = "200 OK") {
    auto framed = chunked(body, body.size() > 1'000 ? 900 : 7);
    framed.insert(framed.size() - 2, trailers);
    return "HTTP/1.1 " + status + "\r\n" + lines + "Transfer-Encoding: chunked\r\n\r\n" + framed;
}
std::string upload(const std::string& of, const std::string& lines, const std::string& body) {
    return "POST /api/v1/projects/" + of + "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\n" + lines + "\r\n" +
           body;
}

struct body_case {
    std::string name;
    std::string body;
};
std::vector<body_case> bodies() {
    return {{"an object", R"({"id":"x", "n":1e400, "a":[1,{"b":"}"}]} )"},
            {"an object with an info", R"({"info":{"a":1},"b":2})"},
            {"an object with the backend's own info", R"({"info":{"resource_consistency":{}}})"},
            {"an info that is not an object", R"({"info":7})"},
            {"an array", "[{}]"},
            {"a scalar", "17"},
            {"nothing", ""},
            {"blanks", "  \r\n "},
            {"a broken object", R"({"id":)"},
            {"two objects", "{}{}"},
            {"a byte order mark", "\xef\xbb\xbf{}"},
            {"bytes that are not UTF-8", "{\"a\":\"\xff\"}"},
            {"more than is collected", R"({"x":")" + std::string(1'500, 'x') + R"("})"}};
}

void add_augmented(std::vector<script>& all) {
    for (const auto& each : bodies()) {
        const std::string name = "?info: " + each.name;
        all.push_back({name + ", length", {{get() + get("", "/2")}}, {{ok(json, each.body)}, {ok("", "2")}}});
        all.push_back({name + ", chunks", {{get() + get("", "/2")}}, {{ok_chunked(json, each.body)}, {ok("", "2")}}});
        all.push_back(
            {name + ", chunks with trailers",
             {{get() + get("", "/2")}},
             {{ok_chunked(json + "Trailer: X-A, Digest\r\n", each.body, "X-A: b\r\nDigest: d\r\n")}, {ok("", "2")}}});
        all.push_back({name + ", until the end",
                       {{get()}},
                       {{"HTTP/1.1 200 OK\r\n" + json + "\r\n" + each.body, on::request, then::fin}}});
        all.push_back(
            {name + ", HTTP/1.0, chunks", {{get("", target, "GET", "1.0")}}, {{ok_chunked(json, each.body)}}});
        all.back().goes_wrong_late = true; // how much has passed before it is known to be too large differs
    }
    const auto one = [&](const std::string& name, const std::string& request, const std::string& response) {
        all.push_back({"?info: " + name, {{request + get("", "/2")}}, {{response}, {ok("", "2")}}});
    };
    const std::string object = R"({"a":1})";
    one("metadata", get(),
        ok(json + "ETag: \"e\"\r\nLast-Modified: x\r\nContent-MD5: y\r\nAccept-Ranges: bytes\r\n", object));
    one("If-None-Match that differs", get("If-None-Match: \"other\"\r\n"), ok(json + "ETag: \"e\"\r\n", object));
    one("If-Match that differs", get("If-Match: \"other\"\r\n"), ok(json + "ETag: \"e\"\r\n", object));
    one("If-None-Match: *", get("If-None-Match: *\r\n"), ok(json + "ETag: \"e\"\r\n", object));
    one("If-None-Match: *, chunks", get("If-None-Match: *\r\n"), ok_chunked(json + "ETag: \"e\"\r\n", object));
    one("conditions and ranges are left out",
        get("Range: bytes=0-1\r\nAccept-Encoding: gzip\r\nIf-Modified-Since: x\r\n"), ok(json, object));
    one("an encoded response", get(), ok(json + "Content-Encoding: gzip\r\n", "\x1f\x8b\x08"));
    one("another type", get(), ok("Content-Type: text/html\r\n", object));
    one("+json", get(), ok("Content-Type: application/vnd.a+json; charset=utf-8\r\n", object));
    one("a 404", get(), ok(json, object, "404 Not Found"));
    one("a 206", get(), ok(json + "Content-Range: bytes 0-1/5\r\n", "{}", "206 Partial Content"));
    one("a 304", get(), "HTTP/1.1 304 Not Modified\r\nETag: \"e\"\r\n\r\n");
    one("1xx before", get(), "HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\n" + ok(json, object));
    one("a HEAD", get("", target, "HEAD"), "HTTP/1.1 200 OK\r\n" + json + "ETag: \"e\"\r\nContent-Length: 7\r\n\r\n");
    one("another resource", get("", "/api/v1/projects/" + new_id + "?info"), ok(json, object));
    one("a file's url", get("", "/api/v1/files/" + id + "/url?info"), ok(json, object));
    one("another spelling", get("", "/api/v1//%70rojects/" + id + ".json/?a;%69nfo"), ok(json, object));
    one("the backend says close", get(), ok(json + "Connection: close\r\n", object));
    one("a body in the request", "GET " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
        ok(json, object));
    all.push_back({"?info: a bad chunk",
                   {{get()}},
                   {{"HTTP/1.1 200 OK\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n"}}});
    all.push_back({"?info: a bad chunk behind much",
                   {{get()}},
                   {{"HTTP/1.1 200 OK\r\n" + json + "Transfer-Encoding: chunked\r\n\r\n5dc\r\n" +
                     std::string(1'500, ' ') + "x\r\n0\r\n\r\n"}}});
    all.back().goes_wrong_late = true;
}

void add_gated(std::vector<script>& all) {
    const std::string next = get("", "/2");
    const auto one = [&](const std::string& name, const std::string& request) {
        all.push_back({"gate: " + name, {{request + next}}, {{ok("", "2")}, {ok("", "3")}}});
    };
    one("closed", upload(id, "Content-Length: 2\r\n", "{}"));
    one("closed, no body", upload(id, "", ""));
    one("closed, an empty body", upload(id, "Content-Length: 0\r\n", ""));
    one("closed, chunks", upload(id, "Transfer-Encoding: chunked\r\n", chunked("hello, world", 5)));
    one("closed, chunks and trailers", upload(id, "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\nX: y\r\n\r\n"));
    one("closed, a browser's", upload(id, "Origin: http://b\r\nContent-Length: 2\r\n", "{}"));
    one("open for another", upload(new_id, "Content-Length: 2\r\n", "{}"));
    one("no Authorization",
        "POST /api/v1/projects/" + id + "/uploads HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    one("another method by a field", upload(id, "X-HTTP-Method-Override: PUT\r\nContent-Length: 2\r\n", "{}"));
    one("OPTIONS", get("", "/api/v1/projects/" + id + "/uploads", "OPTIONS"));
    all.push_back({"gate: closed, Expect", {{upload(id, "Expect: 100-continue\r\nContent-Length: 2\r\n", "")}}, {}});
    all.push_back({"gate: closed, Expect, and the body all the same",
                   {{upload(id, "Expect: 100-continue\r\nContent-Length: 2\r\n", "{}") + next}},
                   {}});
    all.push_back({"gate: closed, close", {{upload(id, "Connection: close\r\nContent-Length: 2\r\n", "{}")}}, {}});
    all.push_back({"gate: closed, HTTP/1.0",
                   {{"POST /api/v1/projects/" + id +
                     "/uploads HTTP/1.0\r\nHost: a\r\nAuthorization: t\r\nContent-Length: 2\r\n\r\n{}"}},
                   {}});
    script bad{
        "gate: closed, bad chunks", {{upload(id, "Transfer-Encoding: chunked\r\n", "1\r\nab\r\n0\r\n\r\n")}}, {}};
    bad.goes_wrong_late = true;
    all.push_back(bad);
}

// Learned, and so at once behind it the gate is closed.
void add_learned(std::vector<script>& all) {
    const std::string create = "POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    const std::string created = R"({"kind":"project","id":")" + new_id + R"(","name":"n"})";
    const auto one = [&](const std::string& name, const std::string& response, then how = then::keep) {
        all.push_back({"learn: " + name,
                       {{create}, {upload(new_id, "Content-Length: 2\r\n", "{}"), when::quiet}},
                       {{response, on::request, how}, {ok("", "created", "201 Created")}}});
    };
    one("length", ok(json, created, "201 Created"));
    one("chunks", ok_chunked(json, created, "", "202 Accepted"));
    one("chunks with trailers", ok_chunked(json, created, "X-A: b\r\n", "202 Accepted"));
    one("1xx before", "HTTP/1.1 102 Processing\r\n\r\n" + ok(json, created, "201 Created"));
    one("until the end", "HTTP/1.1 201 Created\r\n" + json + "\r\n" + created, then::fin);
    one("an error", ok(json, created, "400 Bad Request"));
    one("no id", ok(json, "{}", "201 Created"));
    one("broken", ok(json, created.substr(1), "201 Created"));
    one("cut short", "HTTP/1.1 201 Created\r\n" + json + "Content-Length: 100\r\n\r\n" + created, then::fin);
    all.push_back({"learn: a file from its path",
                   {{"PUT /api/v1/files/" + new_id + " HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"},
                    {get("", "/api/v1/files/" + new_id + "/url?info"), when::quiet}},
                   {{ok(json, "{}")}, {ok(json, "{}")}}});
}

} // namespace

std::vector<script> rule_scripts() {
    std::vector<script> all;
    add_augmented(all);
    add_gated(all);
    add_learned(all);
    return all;
}

// The next request is sent when all of this is at rest: a request that is under way when the bytes come could but take
// them for its response.
std::vector<script> behind_the_end_scripts() {
    std::vector<script> all;
    const auto one = [&](const std::string& name, const std::string& request, const std::string& response,
                         const std::string& behind) {
        all.push_back({"behind the end of " + name,
                       {{request}, {get("", "/next"), when::quiet}},
                       {{response + behind}, {ok("", "next")}}});
    };
    const std::string create = "POST /api/v1/projects HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    for (const auto& each : bodies()) {
        one(each.name + ", ?info, length", get(), ok(json, each.body), poison);
        one(each.name + ", ?info, chunks", get(), ok_chunked(json, each.body), poison);
        one(each.name + ", ?info, trailers", get(), ok_chunked(json, each.body, "X-A: b\r\n"), poison);
        one(each.name + ", relayed", get("", "/plain"), ok(json, each.body), poison);
        one(each.name + ", relayed in chunks", get("", "/plain"), ok_chunked(json, each.body), poison);
        one(each.name + ", taught", create, ok(json, each.body, "201 Created"), poison);
    }
    one("a 204", get("", "/plain"), "HTTP/1.1 204 No Content\r\n\r\n", poison);
    one("a 304 to ?info", get(), "HTTP/1.1 304 Not Modified\r\n\r\n", "hello");
    one("a HEAD", get("", "/plain", "HEAD"), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "hello");
    one("a HEAD to ?info", get("", target, "HEAD"), "HTTP/1.1 200 OK\r\n" + json + "Content-Length: 5\r\n\r\n",
        "hello");
    one("a response, blank lines", get("", "/plain"), ok("", "ok"), "\r\n\r\n");
    one("a response, one byte", get("", "/plain"), ok("", "ok"), "x");
    one("chunks, another last chunk", get("", "/plain"), ok_chunked("", "ok"), "0\r\n\r\n");
    return all;
}

} // namespace cuts
