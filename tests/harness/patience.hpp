// How long a test waits for what must happen. Nothing waits this long unless the test fails.
#pragma once

#include <chrono>

namespace harness {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SIDECAR_TESTS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SIDECAR_TESTS_SANITIZED 1
#endif

#if SIDECAR_TESTS_SANITIZED
inline constexpr bool sanitized = true;
#else
inline constexpr bool sanitized = false;
#endif

inline constexpr std::chrono::milliseconds patience{sanitized ? 20'000 : 5'000};

} // namespace harness
