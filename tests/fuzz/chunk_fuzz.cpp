// The chunk reader: bytes that come whole or one by one mean the same, also if payload passes unseen; payload and
// framing add up.
#include "proxy/data_plane/body_framing.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

struct collected final : sidecar::payload_sink {
    void payload(std::string_view bytes) override { body += bytes; }
    void trailer(std::string_view bytes) override { trailers += bytes; }
    std::string body, trailers;
};

void expect(bool holds) {
    if (!holds) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const sidecar::body_framing framing{sidecar::body_framing::kind::chunked, 0};
    const sidecar::body_reader::limits limits{256, 512};

    sidecar::body_reader whole(framing, limits);
    collected at_once;
    const auto used = whole.follow(bytes, &at_once);
    expect(used <= size);
    expect(at_once.body.size() == whole.payload_bytes());

    sidecar::body_reader slow(framing, limits);
    collected one_by_one;
    std::size_t slowly_used = 0;
    while (slowly_used < size && slow.follow(bytes.substr(slowly_used, 1), &one_by_one) == 1) ++slowly_used;
    expect(slowly_used == used);
    expect(slow.done() == whole.done());
    expect(slow.failed() == whole.failed());
    expect(one_by_one.body == at_once.body);
    expect(one_by_one.trailers == at_once.trailers);

    sidecar::body_reader blind(framing, limits);
    std::size_t blindly_used = 0;
    while (blindly_used < size) {
        const auto rest = bytes.substr(blindly_used);
        // In two pieces, where there is more than one byte.
        const auto ahead = std::min<std::uint64_t>(blind.payload_ahead(), rest.size());
        const auto unseen = (ahead + 1) / 2;
        if (unseen > 0)
            blind.skip(unseen);
        else if (blind.follow(rest.substr(0, 1)) == 0)
            break;
        blindly_used += unseen > 0 ? unseen : 1;
    }
    expect(blindly_used == used);
    expect(blind.done() == whole.done());
    expect(blind.failed() == whole.failed());
    expect(blind.payload_bytes() == whole.payload_bytes());
    return 0;
}
