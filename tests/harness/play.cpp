#include "tests/harness/play.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

namespace harness {

namespace {

struct backend_connection {
    wire link;
    std::string received;
    bool answered = false;
    bool ended = false;
};

// What is there now; sets `how` if it was the end.
std::string read_now(wire& from, ending& how) {
    std::array<char, 65536> block;
    const auto n = ::recv(from.descriptor(), block.data(), block.size(), MSG_DONTWAIT);
    if (n > 0) return {block.data(), static_cast<std::size_t>(n)};
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) how = n == 0 ? ending::fin : ending::reset;
    return {};
}

// One that is gone, or closed by the script, is not watched.
pollfd watch(const wire& link, bool ended) { return {ended ? -1 : link.descriptor(), POLLIN, 0}; }

void advance(backend_connection& one, const play& script, outcome& so_far) {
    auto how = ending::none;
    const auto bytes = read_now(one.link, how);
    so_far.at_backend += bytes;
    one.received += bytes;
    one.ended = how != ending::none;
    if (one.answered || script.answer.empty() || one.received.find("\r\n\r\n") == std::string::npos) return;
    one.answered = true;
    one.link.try_send(script.answer);
    if (script.after_answer == then::close) one.link.end_writing();
}

} // namespace

outcome play::run(std::uint16_t proxy, listener& backend) const {
    outcome so_far;
    std::vector<backend_connection> connections;
    auto client = wire::connect(proxy);
    // What is refused half-way may be ended half-way.
    if (bytewise) {
        for (std::size_t i = 0; i < request.size() && client.try_send(request.substr(i, 1)); ++i) {
        }
    } else {
        client.try_send(request);
    }
    const auto until = std::chrono::steady_clock::now() + 2 * patience; // events could go on for ever
    while (std::chrono::steady_clock::now() < until) {
        std::vector<pollfd> watched{watch(client, so_far.client_ended != ending::none),
                                    {backend.descriptor(), POLLIN, 0}};
        for (const auto& each : connections) watched.push_back(watch(each.link, each.ended));
        if (::poll(watched.data(), watched.size(), static_cast<int>(quiet.count())) <= 0) break;
        if (watched[0].revents) so_far.at_client += read_now(client, so_far.client_ended);
        for (std::size_t i = 0; i < connections.size(); ++i)
            if (watched[i + 2].revents) advance(connections[i], *this, so_far);
        if (watched[1].revents) {
            connections.push_back({backend.accept(), {}, false, false});
            ++so_far.connections;
        }
        so_far.backend_ended =
            std::all_of(connections.begin(), connections.end(), [](const auto& each) { return each.ended; });
        const bool all_over = so_far.client_ended != ending::none && so_far.backend_ended && !backend.has_connection();
        if (all_over || (enough && enough(so_far))) break;
    }
    return so_far;
}

} // namespace harness
