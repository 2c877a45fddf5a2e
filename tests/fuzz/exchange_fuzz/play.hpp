// An input played: what clients and backend do, one step after the other, until all time limits have passed.
#pragma once

#include "tests/fuzz/exchange_fuzz/script.hpp"

#include <deque>

namespace exchange_fuzz {

class play {
public:
    play(cuts::stage& on, input& from, bool over_tcp)
        : stage_(on),
          in_(from),
          over_tcp_(over_tcp),
          connects_before_(on.metrics().upstream_connects.get()) {}

    // Whether the stage is good for another one: not drained, and no connection of this one's may still come to the
    // backend, as on a busy machine the kernel lets it.
    bool run();

private:
    static constexpr std::size_t requests_max = 12;

    void take_step();
    client_end* any_client();
    backend_end* any_backend();
    void open_client();
    void ask();
    void send_from(client_end& client, std::size_t most);
    void send_some(std::size_t most);
    void end_client();
    void send_rubbish();
    void urge();
    // The backend's side. What it will say is decided when the head has come.
    void begin_replies();
    void begin_reply(backend_end& at, std::string_view head);
    void note_body(backend_end& at, std::string_view rest);
    void make_reply(backend_end& at, const tag& to, std::string_view head);
    void push_reply(backend_end& at, std::size_t most);
    void reply_some(std::size_t most);
    void end_backend();
    // Until nothing moves any more.
    void settle();
    bool move();
    // All that was begun is ended, and then all time limits pass.
    void finish();

    cuts::stage& stage_;
    input& in_;
    bool over_tcp_;
    std::uint64_t connects_before_;
    bool automatic_ = true;
    bool drained_ = false;
    std::vector<client_end> clients_;
    std::deque<backend_end> backends_;
    std::deque<replied> replies_;
};

} // namespace exchange_fuzz
