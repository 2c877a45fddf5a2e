// The head readers: never a crash, the same verdict whole or in pieces, and what is accepted is unambiguous: every line
// is accounted for, reading the accepted bytes again gives the same, what is written of them for the other side is read
// alike, and Beast's parser, the second opinion, reads the same out of them.
#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/message_head.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

constexpr sidecar::head_limits limits{1024, 16, 256};
constexpr sidecar::head_limits roomy{4096, 32, 512}; // for what is added

bool is_response(const sidecar::message_head& head) { return head.start_line.starts_with("HTTP/1."); }

void check_lines(const sidecar::message_head& head) {
    auto at = head.start_line.size();
    for (const auto& field : head.fields) {
        expect(field.line.data() == head.bytes.data() + at);
        expect(field.line.ends_with("\r\n"));
        expect(field.line.find('\0') == std::string_view::npos);
        expect(field.line.starts_with(field.name));
        // Of a response, blanks may stand before the colon; they do not go on.
        const auto colon = field.line.find_first_not_of(" \t", field.name.size());
        expect(colon != field.line.npos && field.line[colon] == ':');
        expect(colon == field.name.size() || is_response(head));
        at += field.line.size();
    }
    expect(at + 2 == head.bytes.size());
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

// What Beast refuses although it may stand in a head: lists of other than tokens where they do not concern us, a status
// line without a blank behind the code, HTTP/1.2 and later, what a 1xx says of a body, and blanks before a colon.
bool is_refused_by_beast_alone(const sidecar::message_head& head) {
    const auto& kinds = head.kinds;
    const auto has = [&](auto kind) { return std::find(kinds.begin(), kinds.end(), kind) != kinds.end(); };
    const auto line = head.start_line;
    const auto version = is_response(head) ? line.substr(0, 8) : line.substr(line.size() - 10, 8);
    if (version != "HTTP/1.0" && version != "HTTP/1.1") return true;
    const bool is_interim = is_response(head) && line[9] == '1';
    return has(sidecar::known_field::upgrade) || has(sidecar::known_field::proxy_connection) ||
           (is_response(head) && line.size() == sizeof "HTTP/1.1 200\r\n" - 1) ||
           (is_interim &&
            (has(sidecar::known_field::content_length) || has(sidecar::known_field::transfer_encoding))) ||
           std::any_of(head.fields.begin(), head.fields.end(),
                       [](const auto& field) { return field.line[field.name.size()] != ':'; });
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
void check_with_beast(const sidecar::response_head& head) {
    check_with_beast<false>(head, std::to_string(head.status), head.reason);
}

std::string_view written(const sidecar::request_head& head, sidecar::buffer& out) {
    sidecar::request_changes changes;
    changes.backend_authority = "b";
    sidecar::write_request_head(head, changes, out);
    return out.data();
}
std::string_view written(const sidecar::response_head& head, sidecar::buffer& out) {
    sidecar::response_changes changes;
    changes.switching = head.switches_to_websocket;
    sidecar::write_response_head(head, changes, out);
    return out.data();
}

template <class Head>
void check_same_reading(const Head& head, const Head& again) {
    expect(again.body.how == head.body.how && again.body.length == head.body.length);
    if constexpr (std::is_same_v<Head, sidecar::request_head>)
        expect(again.method == head.method && again.upgrades_to_websocket == head.upgrades_to_websocket);
    else
        expect(again.status == head.status && again.reason == head.reason);
}

// The other side reads what is written of it as we did, and finds nothing more to change but the Connection of ours.
template <class Head, class Read>
void check_written(const Head& head, Read read) {
    sidecar::buffer_pool pool;
    sidecar::buffer out(pool);
    const auto text = written(head, out);
    Head again;
    std::size_t searched = 0;
    expect(read(text, searched, again, roomy) == sidecar::head_status::complete);
    expect(again.bytes == text);
    check_same_reading(head, again);
    sidecar::buffer twice(pool);
    expect(written(again, twice) == text);
}

template <class Head, class Read>
void check(std::string_view bytes, Read read) {
    Head whole;
    std::size_t from = 0;
    const auto status = read(bytes, from, whole, limits);
    Head slow;
    std::size_t slow_from = 0;
    auto slow_status = sidecar::head_status::need_more;
    for (std::size_t n = 1; n <= bytes.size() && slow_status == sidecar::head_status::need_more; ++n)
        slow_status = read(bytes.substr(0, n), slow_from, slow, limits);
    expect(bytes.empty() || slow_status == status);
    expect(std::string_view(slow.complaint) == whole.complaint);
    if (status != sidecar::head_status::complete) return;
    expect(slow.bytes == whole.bytes && slow.consumed == whole.consumed);
    check_same_reading(whole, slow);
    check_lines(whole);
    std::size_t again_from = 0;
    Head again;
    expect(read(whole.bytes, again_from, again, limits) == sidecar::head_status::complete);
    expect(again.fields.size() == whole.fields.size() && again.bytes == whole.bytes);
    check_with_beast(whole);
    check_written(whole, read);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    if (data[0] & 1)
        check<sidecar::request_head>(bytes, [](auto text, auto& from, auto& into, const auto& bounds) {
            return sidecar::read_request_head(text, from, bounds, into);
        });
    else
        check<sidecar::response_head>(bytes, [&](auto text, auto& from, auto& into, const auto& bounds) {
            return sidecar::read_response_head(text, from, bounds, (data[0] & 2) != 0, into);
        });
    return 0;
}
