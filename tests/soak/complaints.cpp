#include "tests/soak/complaints.hpp"

#include "tests/harness/http_text.hpp"

#include <atomic>
#include <iostream>
#include <mutex>

namespace soak {

namespace {
std::atomic<std::uint64_t> so_many{0};
std::mutex say_mutex;
} // namespace

std::uint64_t complaints() { return so_many; }

void complain(std::uint64_t number, std::string_view what, std::string_view expected, std::string_view got) {
    if (so_many.fetch_add(1) >= 20) return;
    std::size_t differ = 0;
    while (differ < expected.size() && differ < got.size() && expected[differ] == got[differ]) ++differ;
    const auto around = [&](std::string_view text) {
        return harness::shown(text.substr(differ > 40 ? differ - 40 : 0, 200));
    };
    std::lock_guard lock(say_mutex);
    std::cout << "exchange " << number << ": " << what << "\n";
    if (!expected.empty() || !got.empty())
        std::cout << "  " << expected.size() << " bytes expected, " << got.size() << " came, they differ at " << differ
                  << "\n  expected: " << around(expected) << "\n  got:      " << around(got) << "\n";
}

} // namespace soak
