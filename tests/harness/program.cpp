#include "tests/harness/program.hpp"

#include <charconv>
#include <string_view>

namespace harness {

program::program(const std::string& yaml) : process({"--config", write("listen: {address: 127.0.0.1:0}\n" + yaml)}) {
    const auto serving = await_line("\"msg\":\"serving\"");
    constexpr std::string_view key = "\"port\":";
    const auto* const digits = serving.data() + serving.find(key) + key.size();
    std::from_chars(digits, serving.data() + serving.size(), port_);
}

std::string in_front_of(std::uint16_t backend, std::uint16_t no_status) {
    return "upstream: {address: 127.0.0.1:" + std::to_string(backend) + "}\nworkers: 1\nadmin: {address: off}\n" +
           "status: {url: http://127.0.0.1:" + std::to_string(no_status) + "/}\n";
}

} // namespace harness
