// One random exchange, the same for both ends: from its number follow the exact bytes that the client sends, those the
// backend must receive, those it answers, and those the client must get. What is illegal or cut is part of the script.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace soak {

enum class fault : std::uint8_t {
    none,
    illegal_request, // must be refused, and not reach the backend
    illegal_answer,  // must become a 502
    answer_cut,      // the backend closes within its answer: 502, or a visible truncation
    no_answer,       // the backend closes without a byte: so does the sidecar
    client_aborts,   // the client goes in the middle of its request
    killed,          // the backend is reset within the request's body, having begun a response until the end perhaps
};

struct script {
    std::uint64_t number = 0;
    fault planned = fault::none;
    std::string sent;                // by the client
    std::string arrives;             // at the backend; the client's bytes without what is hop-by-hop
    std::string answer;              // by the backend
    std::string received;            // by the client
    bool last_on_connection = false; // the answer, or the request, ends the client's connection
    bool backend_closes = false;     // after its answer
    bool own_answer = false;         // the gate's: the backend is not asked
    std::uint64_t cuts = 0;          // seeds where either side's bytes are cut into pieces
    std::string behind;              // the backend's response, in one with its last byte: nobody may get it
    bool apart = false;              // the response's head comes alone
    bool urgent = false;             // an urgent byte among the bytes of each side
};

// `ready` and `not_ready`: ids of projects that the status document says so of.
script make_script(std::uint64_t seed, std::uint64_t number);

inline constexpr std::string_view not_ready_project = "11111111-2222-4333-8444-555555555555";
inline constexpr std::string_view number_field = "X-Exchange";

// xorshift64*: the same everywhere.
class dice {
public:
    explicit dice(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ULL + 0x1234567) { next(); }
    std::uint64_t next() noexcept {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545F4914F6CDD1DULL;
    }
    std::uint64_t below(std::uint64_t n) noexcept { return (next() >> 33) % n; }
    bool one_in(std::uint64_t n) noexcept { return below(n) == 0; }

private:
    std::uint64_t state_;
};

} // namespace soak
