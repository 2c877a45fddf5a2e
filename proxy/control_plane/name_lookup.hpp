// Names to addresses, without holding up the control thread: getaddrinfo can take many seconds when DNS is away.
#pragma once

#include "proxy/shared.hpp"

#include <boost/asio/io_context.hpp>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sidecar {

// The address of an IP literal or of a Unix socket; empty for a name.
std::vector<socket_address> literal_address(const endpoint&);

// Blocks. IPv4 and IPv6 in the resolver's order; empty if the name does not resolve.
std::vector<socket_address> look_up_now(const endpoint&);

bool is_loopback(const socket_address&); // or a Unix socket: this machine in any case

// The threads that look up belong to the io_context, and end with it: then a lookup that is out is waited for, which is
// short, since a resolver is asked for a few seconds at most.
class name_lookup {
public:
    using handler = std::function<void(std::vector<socket_address>)>;

    explicit name_lookup(boost::asio::io_context& home);
    ~name_lookup(); // does not wait: an answer that comes later is dropped
    name_lookup(const name_lookup&) = delete;
    name_lookup& operator=(const name_lookup&) = delete;

    // Home's thread. The handler is called later, on home's thread. With too many lookups still out, empty at once.
    void start(const endpoint&, handler);

private:
    struct home;
    class threads;
    static void answer(const std::shared_ptr<home>&, std::uint64_t id, std::vector<socket_address>);

    std::shared_ptr<home> home_;
};

} // namespace sidecar
