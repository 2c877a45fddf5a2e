// What may have arrived at the clients, given what was sent.
#pragma once

#include "tests/fuzz/exchange_fuzz/script.hpp"

#include <deque>

namespace exchange_fuzz {

class oracle {
public:
    // Over TCP a reset is told from an end.
    oracle(const std::deque<replied>& replies, bool over_tcp) : replies_(replies), over_tcp_(over_tcp) {}

    void check_client(const client_end& client, std::size_t index) const;

private:
    void check_messages(const client_end& client, std::size_t index, std::string_view got) const;
    void check_message(const tag& mine, std::string_view head, const std::string& payload, bool whole, bool until_close,
                       bool bodiless) const;

    const std::deque<replied>& replies_;
    bool over_tcp_;
};

} // namespace exchange_fuzz
