// What the two sides of an exchange say, as a fuzzed input has it, and what is known of it afterwards.
#pragma once

#include "tests/cuts/stage.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace exchange_fuzz {

using cuts::end;
using harness::ending;

// Ends the process; what the fuzzer keeps is the input.
[[noreturn]] void found(const std::string& what);
// `bytes` are shown if it does not hold.
void expect(bool holds, const char* what, std::string_view bytes = {}, std::string_view behind = {});

// The input, consumed from its front. An exhausted one gives zeros.
class input {
public:
    input(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
    bool empty() const { return left_ == 0; }
    unsigned byte() {
        if (left_ == 0) return 0;
        --left_;
        return *data_++;
    }
    unsigned below(unsigned n) { return byte() % n; }
    std::string bytes(std::size_t most) {
        const auto n = std::min(most, left_);
        std::string taken(reinterpret_cast<const char*>(data_), n);
        data_ += n;
        left_ -= n;
        return taken;
    }

private:
    const std::uint8_t* data_;
    std::size_t left_;
};

extern const std::string busy;     // a project that is not ready
extern const std::string fresh;    // one that is learned, if at all
extern const std::string document; // by the first rules nothing is ready, by the others all is

void configure(sidecar::config&, unsigned choice);

inline constexpr std::size_t clients_max = 4;

// `{client}.{exchange}`, in brackets: found anywhere, it says whose bytes these are.
struct tag {
    std::size_t client = 0;
    std::size_t exchange = 0;
    friend bool operator==(const tag&, const tag&) = default;
    std::string text() const { return "<" + std::to_string(client) + "." + std::to_string(exchange) + ">"; }
};

std::optional<tag> tag_of(std::string_view head);
std::string filled(const tag& of, std::size_t size);

inline constexpr std::array<std::size_t, 10> sizes{0, 1, 5, 63, 300, 999, 1'001, 16'384, 17'000, 70'000};

// What a client has asked for.
struct asked {
    std::string method;
    std::size_t whole_at = 0; // offset in what the client sends
    std::string payload;
    bool http_1_0 = false;
    bool repeatable = false;
    bool gated = false;
    std::size_t arrived = 0; // how often its head came to the backend
};

// What the backend said to it, once for each try.
struct replied {
    tag to;
    std::string payload;
    bool until_close = false;
    bool mangled = false;
    bool all_sent = false; // to the end of the message, and for until_close the FIN behind it
    bool reset = false;
};

struct client_end {
    end link;
    std::string out;
    std::size_t sent = 0;
    std::vector<asked> requests;
    bool mangled = false; // something was sent that is not a request of ours
    bool tunnels = false; // an upgrade was asked for
    bool closed = false;  // by itself
};

struct backend_end {
    end link;
    std::size_t seen = 0; // offset behind the last request taken note of
    std::string out;
    std::size_t message_size = 0;     // of `out`: what lies behind it is glued to its last byte
    std::optional<std::size_t> reply; // being sent
    std::optional<tag> reading;       // the request whose body is coming
    bool in_one = false;              // all of `out` in one call
    bool then_fin = false;
    bool poisoned = false; // no request of before can be told from the next any more
    bool tunnel = false;
    bool dead = false;
};

} // namespace exchange_fuzz
