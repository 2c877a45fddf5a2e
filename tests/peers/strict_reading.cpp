#include "tests/peers/strict_reading.hpp"

#include "proxy/data_plane/message_head.hpp"
#include "tests/harness/http_text.hpp"

#include <algorithm>
#include <cstddef>
#include <set>
#include <span>

namespace peers {

using namespace harness;

namespace {

constexpr sidecar::head_limits no_limits{1 << 24, 10'000, 1 << 20};

// How many bytes of the body there are, if it is whole.
std::optional<std::size_t> whole_body(const sidecar::body_framing& framing, std::string_view bytes) {
    sidecar::body_reader body(framing, {1 << 24, 1 << 24});
    std::string copy(bytes);
    std::size_t used = 0;
    while (used < copy.size() && !body.done() && body.failed() == sidecar::body_reader::fault::none)
        used += body.take(std::span<char>(copy).subspan(used)).used;
    if (!body.done() && !body.end_of_stream()) return {};
    return used;
}

} // namespace

std::optional<int> count_requests(std::string_view bytes) {
    int count = 0;
    for (; !bytes.empty(); ++count) {
        std::size_t searched = 0;
        sidecar::request_head head;
        if (sidecar::read_request_head(bytes, searched, no_limits, head) != sidecar::head_status::complete) return {};
        const auto body = whole_body(head.body, bytes.substr(head.consumed));
        if (!body) return {};
        bytes.remove_prefix(head.consumed + *body);
    }
    return count;
}

bool is_clean_request(std::string_view bytes) { return count_requests(bytes) == 1; }

std::string_view final_answer(std::string_view bytes) {
    while (status_of(bytes) / 100 == 1 && status_of(bytes) != 101 && bytes.find("\r\n\r\n") != std::string_view::npos)
        bytes.remove_prefix(bytes.find("\r\n\r\n") + 4);
    return bytes;
}

bool is_clean_answer(std::string_view bytes) {
    std::size_t searched = 0;
    sidecar::response_head head;
    return sidecar::read_response_head(bytes, searched, no_limits, false, head) == sidecar::head_status::complete &&
           head.status != 101 && whole_body(head.body, bytes.substr(head.consumed)) == bytes.size() - head.consumed;
}

std::string meaning_of(std::string_view bytes) {
    static const std::set<std::string> aside{"connection", "keep-alive",        "date",          "server",
                                             "via",        "transfer-encoding", "content-length"};
    const auto head = bytes.substr(0, std::min(bytes.find("\r\n\r\n"), bytes.size()));
    auto body = std::string(bytes.substr(std::min(head.size() + 4, bytes.size())));
    if (field_of(std::string(head) + "\r\n\r\n", "Transfer-Encoding")) body = unchunked(body);
    std::multiset<std::string> lines;
    for (auto at = head.find("\r\n"); at != std::string_view::npos; at = head.find("\r\n", at + 2)) {
        const auto line = head.substr(at + 2, std::min(head.find("\r\n", at + 2), head.size()) - at - 2);
        const auto name = lower(line.substr(0, line.find(':')));
        if (!aside.contains(name))
            lines.insert(name + ": " + field_of("\r\n" + std::string(line) + "\r\n\r\n", name).value_or(""));
    }
    std::string meaning(head.substr(0, head.find("\r\n")));
    for (const auto& line : lines) meaning += "\n" + line;
    return meaning + "\n\n" + body;
}

} // namespace peers
