// One request under way, as all parts of its exchange see it.
#pragma once

#include "proxy/data_plane/access_record.hpp"
#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "proxy/data_plane/session.hpp"
#include "proxy/data_plane/worker_state.hpp"
#include "sidecar/action.hpp"

#include <memory>

namespace sidecar {

struct request_context {
    // Written out: an aggregate would first be made zeros, all 2 KiB that the head's lists may hold.
    request_context(worker_state& of_worker, session& of)
        : worker(of_worker),
          from(of),
          client(of.client),
          received(of.received),
          config(of_worker.current_settings()) {}

    worker_state& worker;
    session& from;
    stream& client;
    buffer& received;                       // what is behind the head: the body's bytes, then the next request's
    std::shared_ptr<const settings> config; // one configuration from the head to the end
    request_head head;
    body_reader body;
    decision decided;
    access_record record;
    bool continued = false; // a 100 has gone to the client

    const downstream_config& downstream() const noexcept { return config->values.downstream; }
    const upstream_config& upstream() const noexcept { return config->values.upstream; }
    time_point now() const noexcept { return worker.timers.now(); }
    // What could not be sent again does not go on a connection that may just be closing.
    bool is_repeatable() const noexcept { return head.is_idempotent() && !head.has_body(); }
};

} // namespace sidecar
