// Whole exchanges as scripts: what the client sends and when, what the backend responds and when. Played in process,
// cut as a plan says.
#pragma once

#include "tests/cuts/stage.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace cuts {

// What the client sends, one part after the other.
struct part {
    enum class when {
        at_once,
        quiet, // nothing moves any more, and the backend has sent all that it could
        seen,  // the client has got `awaited`
    };
    std::string bytes;
    when begins = when::at_once;
    std::string awaited = {};
    bool then_ends = false; // FIN
};

// What the backend sends, one after the other, on whatever connection it is asked for.
struct reply {
    enum class on {
        request, // a whole request has come
        head,    // its head has
        text,    // `awaited` has, anywhere
    };
    enum class then { keep, fin, reset };
    std::string bytes;
    on begins = on::request;
    then after = then::keep;
    bool interim = false; // another reply to the same request follows
    std::string awaited = {};
};

struct script {
    std::string name;
    std::vector<part> client;
    std::vector<reply> backend;
    // A message goes wrong behind its head: how much of it has passed before that is seen depends on the cuts.
    bool goes_wrong_late = false;
    family over = family::unix_socket;
};

// Where whose bytes are cut.
struct plan {
    enum class side { nobody, client, backend, everybody };
    side whose = side::nobody;
    std::size_t index = 0;  // of the part or reply
    std::size_t at = 0;     // client, backend: one cut
    std::size_t pieces = 1; // everybody: all in pieces of so many bytes
};
std::string described(const script&, const plan&);

struct outcome {
    struct connection {
        std::string got;
        bool ended = false;
        friend bool operator==(const connection&, const connection&) = default;
    };
    std::string at_client; // without Date
    ending client_ended = ending::none;
    std::vector<connection> at_backend;
    std::size_t replies = 0; // how many were asked for
    friend bool operator==(const outcome&, const outcome&) = default;
};

outcome play(stage&, const script&, const plan&);

// What is wrong with this outcome, if the uncut script has that one; empty: nothing.
std::string difference(const script&, const outcome& uncut, const outcome& cut);

std::vector<script> peer_scripts();    // what passes, from tests/peers
std::vector<script> refused_scripts(); // what does not, likewise
std::vector<script> behind_the_end_scripts();
std::vector<script> exchange_scripts(); // pipelines, early responses, Expect, upgrades, HTTP/1.0, HEAD, 1xx, ends
std::vector<script> rule_scripts();     // augment, gate, learn

// What the scripts take for granted.
void configure(sidecar::config&);
extern const std::string document;

} // namespace cuts
