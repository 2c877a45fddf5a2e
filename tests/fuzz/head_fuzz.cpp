// The head readers: never a crash, the same whole or in pieces, and what is accepted is unambiguous: every line is
// accounted for, and reading the accepted bytes again gives the same.
#include "proxy/data_plane/message_head.hpp"

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

void expect(bool holds) {
    if (!holds) std::abort();
}

constexpr sidecar::head_limits limits{8192, 64, 2048};

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
    if (status != sidecar::head_status::complete) return;
    expect(slow_status == status);
    expect(slow.bytes == whole.bytes && slow.body.how == whole.body.how && slow.body.length == whole.body.length);
    check_lines(whole);
    std::size_t again_from = 0;
    Head again;
    expect(read(whole.bytes, again_from, again) == sidecar::head_status::complete);
    expect(again.fields.size() == whole.fields.size() && again.bytes == whole.bytes);
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
