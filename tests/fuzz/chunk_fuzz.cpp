// The body reader: what comes out, and what the sink is told, is the same whether bytes come whole, one by one or in
// pieces of any size; nothing behind the end comes out; framing that came out is accepted again and changes no more;
// and what Beast's parser, the second opinion, reads of it is the same payload.
#include "proxy/data_plane/body_framing.hpp"

#include <boost/beast/http/basic_parser.hpp>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

struct collected final : sidecar::payload_sink {
    void payload(std::string_view bytes) override { body += bytes; }
    void trailer(std::string_view line) override {
        expect(line.ends_with("\r\n") && line.find('\n') == line.size() - 1);
        trailers += line;
    }
    std::string body, trailers;
};

constexpr sidecar::body_framing chunked{sidecar::body_framing::kind::chunked, 0};
constexpr sidecar::body_reader::limits limits{256, 512};

struct reading {
    std::string out, body, trailers;
    std::size_t used = 0;
    bool done = false;
    sidecar::body_reader::fault failed = sidecar::body_reader::fault::none;
};

// In reads of these sizes, one after the other and again from the first.
reading read(std::string_view bytes, std::vector<std::size_t> sizes, sidecar::dechunk how) {
    sidecar::body_reader reader(chunked, limits, how);
    collected sink;
    reading all;
    std::size_t turn = 0;
    while (!bytes.empty() && !reader.done() && reader.failed() == sidecar::body_reader::fault::none) {
        const auto text = bytes.substr(0, sizes[turn++ % sizes.size()]);
        bytes.remove_prefix(text.size());
        std::vector<char> block(text.begin(), text.end()); // of its own, so that nothing else can be looked at
        std::span<char> in(block);
        while (!in.empty() && !reader.done() && reader.failed() == sidecar::body_reader::fault::none) {
            const auto piece = reader.take(in, &sink);
            expect(piece.used <= in.size());
            all.out += piece.out;
            all.used += piece.used;
            in = in.subspan(piece.used);
        }
        if (reader.done())
            expect(std::string_view(in.data(), in.size()) == text.substr(text.size() - in.size())); // untouched
    }
    all.body = sink.body;
    all.trailers = sink.trailers;
    all.done = reader.done();
    all.failed = reader.failed();
    expect(reader.payload_bytes() == all.body.size());
    return all;
}

void check_same(const reading& one, const reading& other) {
    expect(one.out == other.out && one.body == other.body && one.trailers == other.trailers);
    expect(one.done == other.done && one.failed == other.failed);
    expect(!one.done || one.used == other.used);
}

namespace http = boost::beast::http;

class second_opinion : public http::basic_parser<false> {
public:
    explicit second_opinion(const std::string& body) {
        const auto text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
        header_limit(std::numeric_limits<std::uint32_t>::max());
        body_limit(boost::none);
        eager(true);
        boost::beast::error_code error;
        for (std::size_t at = 0; at < text.size() && !error && !is_done();) {
            const auto n = put(boost::asio::const_buffer(text.data() + at, text.size() - at), error);
            if (n == 0) break;
            at += n;
        }
        done = !error && is_done();
    }

    std::string payload;
    bool done = false;

private:
    using error_code = boost::beast::error_code;
    using view = boost::beast::string_view;

    void on_request_impl(http::verb, view, view, int, error_code&) override {}
    void on_response_impl(int, view, int, error_code&) override {}
    void on_field_impl(http::field, view, view, error_code&) override {}
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(view body, error_code&) override { return payload += body, body.size(); }
    void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, view body, error_code&) override {
        return payload += body, body.size();
    }
    void on_finish_impl(error_code&) override {}
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::vector<std::size_t> sizes{1u + (data[0] & 15u), 1u + (data[0] >> 4u)};
    for (const auto how : {sidecar::dechunk::no, sidecar::dechunk::yes}) {
        const auto whole = read(bytes, {std::max<std::size_t>(bytes.size(), 1)}, how);
        check_same(whole, read(bytes, {1}, how));
        check_same(whole, read(bytes, sizes, how));
        if (how == sidecar::dechunk::yes) {
            expect(whole.out == whole.body);
        } else if (whole.done) {
            const auto again = read(whole.out, {whole.out.size()}, how);
            expect(again.done && again.out == whole.out && again.body == whole.body &&
                   again.trailers == whole.trailers);
            const second_opinion other(whole.out);
            expect(!other.done || other.payload == whole.body);
        }
    }
    return 0;
}
