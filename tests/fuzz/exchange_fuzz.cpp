// Whole exchanges in process: several clients, a backend, one worker. The input says who sends which message, how much
// of it at once, who ends or resets what, when time goes by, when the configuration changes. Each message carries the
// tag of its exchange, so that the oracle knows what may arrive where:
//  - nothing of another exchange, and nothing from behind a message's end;
//  - a body is what was sent, and whole only if it was sent whole and ended in order;
//  - no request that is not repeatable arrives twice;
//  - once all time limits have passed no connection is left, and the memory is back.
// A side that was made to send rubbish is held to the first and the last only.
#include "tests/fuzz/exchange_fuzz/play.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FUZZ_WITH_ADDRESS_SANITIZER 1
#include <sanitizer/allocator_interface.h>
#endif
#endif
#include <malloc.h>

#include <cstdint>
#include <memory>

namespace exchange_fuzz {
namespace {

std::size_t memory_in_use() {
#ifdef FUZZ_WITH_ADDRESS_SANITIZER
    return __sanitizer_get_current_allocated_bytes();
#else
    return ::mallinfo2().uordblks;
#endif
}

std::unique_ptr<cuts::stage>& stage_over(cuts::family of) {
    static std::unique_ptr<cuts::stage> over[2];
    auto& one = over[of == cuts::family::tcp ? 1 : 0];
    if (!one)
        one = std::make_unique<cuts::stage>(
            of, [](sidecar::config& c) { configure(c, 0); }, document);
    return one;
}

} // namespace
} // namespace exchange_fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace exchange_fuzz;
    input in(data, size);
    const auto first = in.byte();
    const bool over_tcp = first % 4 == 0;
    auto& stage = stage_over(over_tcp ? cuts::family::tcp : cuts::family::unix_socket);
    const auto choice = first >> 2;
    stage->reconfigure([choice](sidecar::config& c) { configure(c, choice); });
    stage->publish(document);
    const auto before = memory_in_use();
    const bool good_for_another = play(*stage, in, over_tcp).run();
    stage->publish(document);
    // What a worker keeps at rest is bounded; what one input makes it keep, too.
    constexpr std::size_t kept_max = 1 << 20;
    expect(memory_in_use() < before + kept_max, "memory is not given back");
    if (!good_for_another) stage.reset();
    return 0;
}
