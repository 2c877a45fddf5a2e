// The head readers: never a crash, the same whole or in pieces, and what is accepted is unambiguous: every line is
// accounted for, reading the accepted bytes again gives the same, and Beast's parser, the second opinion, reads the
// same out of them.
#include "proxy/data_plane/message_head.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

constexpr sidecar::head_limits limits{1024, 16, 256};

void check_lines(const sidecar::message_head& head) {
    auto at = head.start_line.size();
    for (const auto& field : head.fields) {
        expect(field.line.data() == head.bytes.data() + at);
        expect(field.line.ends_with("\r\n"));
        expect(field.line.find('\0') == std::string_view::npos);
        expect(field.line.starts_with(field.name) && field.line[field.name.size()] == ':');
        at += field.line.size();
    }
    expect(at + 2 == head.bytes.size());
}

// Which of two limits is hit first may depend on how the bytes come.
bool is_too_large(sidecar::head_status status) {
    return status == sidecar::head_status::header_too_large || status == sidecar::head_status::target_too_long;
}

namespace http = boost::beast::http;

template <bool is_request>
class second_opinion : public http::basic_parser<is_request> {
public:
    explicit second_opinion(std::string_view head) {
        this->header_limit(std::numeric_limits<std::uint32_t>::max());
        this->body_limit(boost::none);
        this->skip(true);
        boost::beast::error_code error;
        this->put(boost::asio::const_buffer(head.data(), head.size()), error);
        accepted = !error && this->is_header_done();
    }

    bool accepted = false;
    std::string first, second; // of the start line
    unsigned minor_version = 0;
    std::vector<std::pair<std::string, std::string>> fields;

private:
    using error_code = boost::beast::error_code;
    using view = boost::beast::string_view;

    void on_request_impl(http::verb, view method, view target, int version, error_code&) override {
        first = method;
        second = target;
        minor_version = version == 10 ? 0 : 1;
    }
    void on_response_impl(int code, view reason, int version, error_code&) override {
        first = std::to_string(code);
        second = reason;
        minor_version = version == 10 ? 0 : 1;
    }
    void on_field_impl(http::field, view name, view value, error_code&) override { fields.emplace_back(name, value); }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(view, error_code&) override { return 0; }
    void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, view, error_code&) override { return 0; }
    void on_finish_impl(error_code&) override {}
};

// What Beast refuses although it may stand in a head: lists of other than tokens where they do not concern us, and a
// status line without a blank behind the code.
bool is_refused_by_beast_alone(const sidecar::message_head& head) {
    const auto& kinds = head.kinds;
    const auto has = [&](auto kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); };
    return has(sidecar::known_field::upgrade) || has(sidecar::known_field::proxy_connection) ||
           (head.start_line.starts_with("HTTP/1.") && head.start_line.size() == sizeof "HTTP/1.1 200\r\n" - 1);
}

template <bool is_request>
void check_with_beast(const sidecar::message_head& head, std::string_view first, std::string_view second) {
    const second_opinion<is_request> other(head.bytes);
    if (!other.accepted) return expect(is_refused_by_beast_alone(head));
    expect(other.first == first && other.second == second && other.minor_version == head.minor_version);
    expect(other.fields.size() == head.fields.size());
    for (std::size_t i = 0; i < head.fields.size(); ++i)
        expect(other.fields[i].first == head.fields[i].name && other.fields[i].second == head.fields[i].value);
}

void check_with_beast(const sidecar::request_head& head) { check_with_beast<true>(head, head.method, head.target); }
void check_with_beast(const sidecar::answer_head& head) {
    check_with_beast<false>(head, std::to_string(head.status), head.reason);
}

template <class Head, class Read>
void check(std::string_view bytes, Read read) {
    Head whole;
    std::size_t from = 0;
    const auto status = read(bytes, from, whole);
    Head slow;
    std::size_t slow_from = 0;
    auto slow_status = sidecar::head_status::need_more;
    for (std::size_t n = 1; n <= bytes.size() && slow_status == sidecar::head_status::need_more; ++n)
        slow_status = read(bytes.substr(0, n), slow_from, slow);
    expect(slow_status == status || (is_too_large(slow_status) && is_too_large(status)));
    if (status != sidecar::head_status::complete) return;
    expect(slow.bytes == whole.bytes && slow.body.how == whole.body.how && slow.body.length == whole.body.length);
    check_lines(whole);
    std::size_t again_from = 0;
    Head again;
    expect(read(whole.bytes, again_from, again) == sidecar::head_status::complete);
    expect(again.fields.size() == whole.fields.size() && again.bytes == whole.bytes);
    check_with_beast(whole);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] & 1)
        check<sidecar::request_head>(bytes, [](auto text, auto& from, auto& into) {
            return sidecar::read_request_head(text, from, limits, into);
        });
    else
        check<sidecar::answer_head>(bytes, [&](auto text, auto& from, auto& into) {
            return sidecar::read_answer_head(text, from, limits, (data[0] & 2) != 0, into);
        });
    return 0;
}
