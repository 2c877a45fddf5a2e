// The backend of the benchmark: as little work for a request as an HTTP/1.1 server can do, so that what is measured is
// the proxy. One thread, canned answers, no pipelining; it trusts its client, which is a proxy that is being measured.
//
//   GET  /api/v1/projects/ID         a project as DDS answers it, about half a kilobyte
//   GET  /chunked/api/v1/...         the same with chunked framing, as Puma sends it
//   GET  /bytes/N                    N bytes
//   POST, PUT  anything              swallows the body, answers 201 with the bytes counted
//   GET  /internal/consistency       the status document: one project that is not ready, and --entries more
#include "bench/sockets.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using namespace bench;
using std::string_view;

constexpr string_view project_body =
    R"({"kind":"dds-project","id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","name":"Longitudinal imaging \u0026 assays",)"
    R"("description":"Samples, scans and derived tables of the second cohort","slug":"longitudinal_imaging",)"
    R"("is_deleted":false,"audit":{"created_on":"2022-03-04T15:06:07.891Z","created_by":{"id":)"
    R"("c1179f73-0558-4f96-afc7-9d251e65b7bb","username":"jd123","full_name":"Jane Doe","agent":{"id":)"
    R"("2b4a0b26-f10b-4a1e-9d1c-3f0f6b5b6c4a","name":"DukeDSClient"}},"last_updated_on":null,"last_updated_by":null,)"
    R"("deleted_on":null,"deleted_by":null}})";

constexpr string_view api_fields = "Content-Type: application/json\r\n"
                                   "ETag: W/\"6b1d0f0ac3d7f1be0f0a1b2c3d4e5f60\"\r\n"
                                   "Cache-Control: max-age=0, private, must-revalidate\r\n"
                                   "X-Request-Id: 7f6c0a52-6a5e-4c11-9a52-3d0f8f0c2b11\r\n"
                                   "X-Runtime: 0.012345\r\n"
                                   "Vary: Origin\r\n";

std::string answer(string_view status, string_view fields, string_view body) {
    return std::string("HTTP/1.1 ")
        .append(status)
        .append("\r\n")
        .append(fields)
        .append("Content-Length: ")
        .append(std::to_string(body.size()))
        .append("\r\n\r\n")
        .append(body);
}

std::string chunked_answer(string_view fields, string_view body) {
    std::array<char, 16> size{};
    const auto [end, ec] = std::to_chars(size.data(), size.data() + size.size(), body.size(), 16);
    return std::string("HTTP/1.1 200 OK\r\n")
        .append(fields)
        .append("Transfer-Encoding: chunked\r\n\r\n")
        .append(size.data(), end)
        .append("\r\n")
        .append(body)
        .append("\r\n0\r\n\r\n");
}

// `entries` projects that are ready, after the one that is not. Well-formed, distinct ids.
std::string status_document(std::size_t entries) {
    std::string body =
        R"({"projects":[{"id":"00000000-0000-4000-8000-00000000dead","is_upload_ready":false,"is_download_ready":false})";
    body.reserve(body.size() + entries * 108 + 16);
    std::array<char, 40> id{};
    for (std::size_t i = 1; i <= entries; ++i) {
        std::snprintf(id.data(), id.size(), "%08zx-0000-4000-8000-%012zx", i * 2654435761U % 0xffffffffU, i);
        body.append(R"(,{"id":")").append(id.data()).append(R"(","is_upload_ready":true,"is_download_ready":true})");
    }
    return body.append(R"(],"files":[]})");
}

struct connection {
    int fd = -1;
    std::string head;          // of a request that has not come whole
    std::size_t body_left = 0; // of a request with a length
    std::size_t body_seen = 0;
    bool in_body = false;
    bool chunked = false;
    std::string chunk_line; // the part of a chunk's size line that has come
    bool last_chunk = false;
    std::string out; // an answer's head or the whole of a small one
    std::size_t out_at = 0;
    std::size_t pattern_left = 0;        // of a large answer
    const std::string* shared = nullptr; // the rest of the answer stands there
    std::size_t shared_at = 0;
};

class server {
public:
    server(std::uint16_t port, const char* unix_path, std::size_t entries, bool vary)
        : epoll_(checked(epoll_create1(EPOLL_CLOEXEC), "epoll_create1")),
          listeners_{listen_on(port), unix_path ? listen_on(string_view(unix_path)) : -1},
          document_(status_document(entries)),
          vary_(vary) {
        for (auto& each : listeners_)
            if (each >= 0) watch(epoll_, each, EPOLLIN, &each);
    }

    [[noreturn]] void run() {
        std::array<epoll_event, 256> events{};
        for (;;) {
            const int n = epoll_wait(epoll_, events.data(), events.size(), -1);
            for (int i = 0; i < n; ++i) {
                if (const auto* listener = listener_of(events[i].data.ptr)) {
                    accept_one(*listener);
                    continue;
                }
                auto* one = static_cast<connection*>(events[i].data.ptr);
                if (!serve(*one, events[i].events)) close(one);
            }
        }
    }

private:
    const int* listener_of(const void* owner) const {
        for (const auto& each : listeners_)
            if (&each == owner) return &each;
        return nullptr;
    }

    void accept_one(int listener) {
        const int fd = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) return;
        auto* one = new connection;
        one->fd = fd;
        watch(epoll_, fd, EPOLLIN, one);
    }

    static void close(connection* one) {
        ::close(one->fd);
        delete one;
    }

    bool serve(connection& one, std::uint32_t events) {
        if ((events & EPOLLOUT) != 0) return write(one, true);
        const auto n = recv(one.fd, buffer_.data(), buffer_.size(), 0);
        if (n < 0 && would_block()) return true;
        if (n <= 0) return false;
        return take(one, string_view(buffer_.data(), static_cast<std::size_t>(n)));
    }

    bool take(connection& one, string_view bytes) {
        while (!bytes.empty()) {
            if (!one.in_body) {
                if (!take_head(one, bytes)) return true;
            } else if (one.chunked) {
                take_chunks(one, bytes);
            } else {
                const auto n = std::min(one.body_left, bytes.size());
                one.body_left -= n;
                one.body_seen += n;
                bytes.remove_prefix(n);
            }
            if (body_ended(one) && !finish(one)) return false;
        }
        return true;
    }

    // False: the head has not come whole yet.
    bool take_head(connection& one, string_view& bytes) {
        string_view all = bytes;
        if (!one.head.empty()) all = one.head.append(bytes);
        const auto end = all.find("\r\n\r\n");
        if (end == string_view::npos) {
            if (one.head.empty()) one.head = all;
            return false;
        }
        const auto head = all.substr(0, end + 4);
        bytes = bytes.substr(bytes.size() - (all.size() - head.size()));
        begin(one, head);
        one.head.clear();
        return true;
    }

    void begin(connection& one, string_view head) {
        one.in_body = true;
        one.body_seen = 0;
        one.last_chunk = false;
        one.chunked = field(head, "\ntransfer-encoding:").find("chunked") != string_view::npos;
        const auto length = field(head, "\ncontent-length:");
        one.body_left = 0;
        std::from_chars(length.data(), length.data() + length.size(), one.body_left);
        const auto target = head.substr(head.find(' ') + 1);
        choose(one, head.substr(0, 4), target.substr(0, target.find_first_of(" ?")), head);
    }

    void choose(connection& one, string_view method, string_view path, string_view head) {
        one.out.clear();
        one.out_at = 0;
        one.pattern_left = 0;
        one.shared = nullptr;
        if (method == "POST" || method == "PUT ") return; // once the body has been counted
        if (path.starts_with("/api/")) {
            one.shared = &project_;
        } else if (path.starts_with("/chunked/")) {
            one.shared = &chunked_project_;
        } else if (path.starts_with("/bytes/")) {
            const auto digits = path.substr(7);
            std::from_chars(digits.data(), digits.data() + digits.size(), one.pattern_left);
            one.out = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: " +
                      std::to_string(one.pattern_left) + "\r\n\r\n";
        } else if (path == "/internal/consistency") {
            choose_status(one, head);
        } else {
            one.out = answer("404 Not Found", "", "");
        }
        one.shared_at = 0;
    }

    void choose_status(connection& one, string_view head) {
        const auto tag = "\"" + std::to_string(version_) + "\"";
        if (!vary_ && field(head, "\nif-none-match:").find(tag) != string_view::npos) {
            one.out = "HTTP/1.1 304 Not Modified\r\nETag: " + tag + "\r\n\r\n";
            return;
        }
        if (vary_) ++version_;
        one.out = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nETag: \"" + std::to_string(version_) +
                  "\"\r\nContent-Length: " + std::to_string(document_.size()) + "\r\n\r\n";
        one.shared = &document_;
    }

    // The value of a field whose name stands in lower case in `name`; proxies may have written it in another.
    static string_view field(string_view head, string_view name) {
        const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a | 0x20 : a) == b; };
        const auto at = std::search(head.begin(), head.end(), name.begin(), name.end(), same);
        if (at == head.end()) return {};
        auto value = head.substr(static_cast<std::size_t>(at - head.begin()) + name.size());
        value = value.substr(0, value.find('\r'));
        value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
        return value;
    }

    static void take_chunks(connection& one, string_view& bytes) {
        if (one.body_left > 0) {
            const auto n = std::min(one.body_left, bytes.size());
            one.body_left -= n;
            bytes.remove_prefix(n);
            return;
        }
        const auto line_end = bytes.find('\n');
        one.chunk_line.append(bytes.substr(0, line_end));
        bytes.remove_prefix(line_end == string_view::npos ? bytes.size() : line_end + 1);
        if (line_end == string_view::npos) return;
        std::size_t size = 0;
        std::from_chars(one.chunk_line.data(), one.chunk_line.data() + one.chunk_line.size(), size, 16);
        const bool blank = one.chunk_line == "\r";
        one.chunk_line.clear();
        if (blank) {
            if (one.last_chunk) one.chunked = false; // the empty line after the last chunk: the end
        } else if (size == 0) {
            one.last_chunk = true;
        } else {
            one.body_left = size;
            one.body_seen += size;
        }
    }

    static bool body_ended(const connection& one) { return one.in_body && !one.chunked && one.body_left == 0; }

    bool finish(connection& one) {
        one.in_body = false;
        if (one.out.empty() && one.shared == nullptr)
            one.out = answer("201 Created", "Content-Type: application/json\r\n",
                             "{\"received\":" + std::to_string(one.body_seen) + "}");
        return write(one, false);
    }

    // Sends what it can; waits for room where there is none. `waited`: it was waiting already.
    bool write(connection& one, bool waited) {
        for (;;) {
            const auto [bytes, left] = next_bytes(one);
            if (left == 0) break;
            const auto n = send(one.fd, bytes, left, MSG_NOSIGNAL | (more_follows(one) ? MSG_MORE : 0));
            if (n < 0 && would_block()) {
                if (!waited) watch(epoll_, one.fd, EPOLLOUT, &one, EPOLL_CTL_MOD);
                return true;
            }
            if (n <= 0) return false;
            advance(one, static_cast<std::size_t>(n));
        }
        if (waited) watch(epoll_, one.fd, EPOLLIN, &one, EPOLL_CTL_MOD);
        return true;
    }

    // A head whose body stands elsewhere: one segment with the body's first bytes.
    static bool more_follows(const connection& one) {
        return one.out_at < one.out.size() && (one.pattern_left > 0 || one.shared != nullptr);
    }

    std::pair<const char*, std::size_t> next_bytes(const connection& one) const {
        if (one.out_at < one.out.size()) return {one.out.data() + one.out_at, one.out.size() - one.out_at};
        if (one.pattern_left > 0) return {pattern_.data(), std::min(one.pattern_left, pattern_.size())};
        if (one.shared != nullptr) return {one.shared->data() + one.shared_at, one.shared->size() - one.shared_at};
        return {nullptr, 0};
    }

    static void advance(connection& one, std::size_t n) {
        if (one.out_at < one.out.size())
            one.out_at += n;
        else if (one.pattern_left > 0)
            one.pattern_left -= n;
        else
            one.shared_at += n;
    }

    int epoll_;
    std::array<int, 2> listeners_;
    std::string project_ = answer("200 OK", api_fields, project_body);
    std::string chunked_project_ = chunked_answer(api_fields, project_body);
    std::string document_;
    bool vary_; // each poll brings another version: the snapshot is replaced at each
    std::size_t version_ = 1;
    std::string pattern_ = std::string(256 * 1024, 'x');
    std::array<char, 256 * 1024> buffer_{};
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 2 || std::atoi(argv[1]) <= 0) {
        std::fprintf(stderr, "usage: backend PORT [--unix PATH] [--entries N] [--vary]\n");
        return 2;
    }
    std::size_t entries = 0;
    bool vary = false;
    const char* unix_path = nullptr;
    for (int i = 2; i < argc; ++i) {
        if (std::strcmp(argv[i], "--vary") == 0) vary = true;
        if (std::strcmp(argv[i], "--unix") == 0 && i + 1 < argc) unix_path = argv[i + 1];
        if (std::strcmp(argv[i], "--entries") == 0 && i + 1 < argc) entries = std::strtoul(argv[i + 1], nullptr, 10);
    }
    allow_many_descriptors();
    std::make_unique<server>(static_cast<std::uint16_t>(std::atoi(argv[1])), unix_path, entries, vary)->run();
}
