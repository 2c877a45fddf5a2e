// Plays one case through whatever listens on a port, with both ends in hand, and tells what arrived where. For cases
// that stand in a table; it takes no view of what is right.
#pragma once

#include "tests/harness/listener.hpp"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace harness {

struct outcome {
    std::string at_backend; // of all connections
    std::size_t connections = 0;
    bool backend_ended = false; // the proxy has ended each connection to the backend
    std::string at_client;
    ending client_ended = ending::none;
};

enum class then { keep, close };

struct play {
    std::string_view request;
    std::string_view answer = {}; // sent on each connection once a whole head has come; empty: none
    then after_answer = then::keep;
    std::function<bool(const outcome&)> enough = {}; // ends it early
    milliseconds quiet = patience;                   // ends it when nothing has happened for so long
    bool bytewise = false;

    outcome run(std::uint16_t proxy, listener& backend) const;
};

} // namespace harness
