// One origin and the one connection to it that is kept: sends GETs, http or https. For the status poll: control
// thread, one request at a time. What Beast instantiates for it stays in http_client.cpp.
#pragma once

#include "proxy/control_plane/name_lookup.hpp"
#include "proxy/http/http_url.hpp"
#include "sidecar/metrics.hpp"
#include "sidecar/readiness.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/system/result.hpp>

#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace sidecar {

struct http_answer {
    int status = 0;
    std::string etag, content_type, content_encoding, location, preference_applied;
    std::string body; // of a 200; others' are not read
};

// Why there is no answer. Cancelled: nobody's fault.
struct http_failure {
    poll_failure kind = poll_failure::connect;
    std::string message;
    bool cancelled = false;
};

class http_client {
public:
    using fields = std::vector<std::pair<std::string, std::string>>;

    // `socket`: of a Unix socket that is connected to in place of the URL's host and port; empty: none.
    http_client(boost::asio::io_context&, http_url, std::string socket, std::string ca_file,
                std::size_t body_bytes_max);
    ~http_client();
    http_client(const http_client&) = delete;
    http_client& operator=(const http_client&) = delete;

    // On the kept connection if it still stands; should that die before a byte of the answer, once more on a new one.
    // `fields` go out as they are, after `Host` (unless it is among them). Whatever happens, it is connected by the
    // first point in time and answered by the second, or has failed.
    boost::asio::awaitable<boost::system::result<http_answer, http_failure>> get(fields, time_point connect_by,
                                                                                 time_point answer_by);

    // Ends the request under way, and its connection with it.
    void cancel();

private:
    class running;
    std::shared_ptr<running> running_;
};

} // namespace sidecar
