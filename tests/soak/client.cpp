#include "tests/soak/client.hpp"

#include "tests/harness/http_text.hpp"
#include "tests/soak/complaints.hpp"
#include "tests/soak/pieces.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <thread>

namespace soak {

using namespace std::chrono_literals;
using std::string;
using std::string_view;
using std::chrono::steady_clock;

namespace {

// The sidecar's own 5xx, behind interim answers perhaps; no script has these.
std::size_t error_at(string_view got) {
    for (const string_view line : {"HTTP/1.1 502 ", "HTTP/1.1 503 ", "HTTP/1.1 504 "})
        if (const auto at = got.substr(0, 400).find(line); at != string_view::npos) return at;
    return string_view::npos;
}

bool is_enough(string_view got, const script& s) {
    if (const auto at = error_at(got); at != string_view::npos)
        return got.find("\r\n\r\n", at) != string_view::npos && (s.sent.starts_with("HEAD") || got.ends_with("}"));
    if (s.planned == fault::killed) return false;
    return s.planned == fault::none ? got.size() >= s.received.size() : got == s.received;
}

} // namespace

void client::run(std::atomic<std::uint64_t>& numbers, steady_clock::time_point until) {
    while (steady_clock::now() < until) {
        const auto s = make_script(seed_, ++numbers);
        try {
            exchange(s);
        } catch (const std::exception& e) {
            connection_.close();
            complain(s.number, e.what());
        }
    }
}

void client::exchange(const script& s) {
    if (!connection_.is_open()) connection_ = harness::wire::connect(port_);
    ended_ = harness::ending::none;
    const auto began = steady_clock::now();
    dice d(s.cuts);
    if (s.planned == fault::client_aborts) {
        send_in_pieces(connection_, string_view(s.sent).substr(0, d.below(s.sent.size())), d);
        d.one_in(2) ? connection_.reset() : connection_.close();
        ++counts_.aborted;
        return;
    }
    // Both at once: an answer may come, and be long, before all is sent.
    std::thread sender([&] { send_in_pieces(connection_, s.sent, d, s.urgent); });
    string got;
    try {
        got = s.own_answer ? connection_.receive_answer().bytes() : receive(s);
    } catch (...) {
        ::shutdown(connection_.descriptor(), SHUT_RDWR);
        sender.join();
        throw;
    }
    if (s.planned != fault::none || s.last_on_connection) ::shutdown(connection_.descriptor(), SHUT_RDWR);
    sender.join();
    // Around a restart of the backend an exchange may end in a 502, a 503 or a cut, but not in other bytes.
    judge(s, got, api_.is_disturbed_at(began));
    if (s.planned != fault::none || s.last_on_connection) connection_.close();
}

// What the script wants; less if the connection ends before it, or if an own answer comes in its place.
string client::receive(const script& s) {
    string got;
    std::array<char, 65536> piece{};
    const auto until = steady_clock::now() + 120s; // others may want the processor, too
    while (!is_enough(got, s)) {
        pollfd waiting{connection_.descriptor(), POLLIN, 0};
        if (::poll(&waiting, 1, 100) == 0) {
            if (steady_clock::now() > until)
                throw std::runtime_error("no answer within 120 s, but " + harness::shown(got) + " to " +
                                         harness::shown(s.sent) + " answered with " + harness::shown(s.answer));
            continue;
        }
        const auto n = ::recv(connection_.descriptor(), piece.data(), piece.size(), 0);
        if (n <= 0) {
            // A send of the other thread's takes the error off the socket, which then reads as an end.
            pollfd state{connection_.descriptor(), 0, 0};
            ::poll(&state, 1, 0);
            ended_ = n == 0 && !(state.revents & POLLHUP) ? harness::ending::fin : harness::ending::reset;
            break;
        }
        got.append(piece.data(), static_cast<std::size_t>(n));
    }
    return got;
}

void client::judge(const script& s, const string& got, bool disturbed) {
    const int status = harness::status_of(got);
    const bool own_error = error_at(got) != string_view::npos;
    if (s.own_answer) {
        if (status != 404 || !got.ends_with(s.received)) complain(s.number, "not the gate's answer", s.received, got);
        ++counts_.exact;
    } else if (s.planned == fault::illegal_request) {
        if (status != 400 && status != 501)
            complain(s.number, "an illegal request was not refused: " + harness::shown(s.sent), "", got);
        ++counts_.refused;
    } else if (s.planned == fault::killed) {
        // A response until the end that did not end in order, or none.
        const bool seen = own_error || got.empty() || ended_ == harness::ending::reset;
        if (!seen && !disturbed) complain(s.number, "a response cut short passes for whole", "", got);
        ++counts_.cut;
    } else if (s.planned == fault::illegal_answer || s.planned == fault::no_answer) {
        if (!own_error && !(got.empty() && s.planned == fault::no_answer))
            complain(s.number, "an answer that can't be taken was taken: " + harness::shown(s.answer), "", got);
        ++counts_.refused;
    } else if (s.planned == fault::answer_cut) {
        const bool prefix = string_view(s.received).starts_with(got) && got.size() < s.received.size();
        // Cut behind the last byte that counts is not cut.
        const bool whole = got == s.received;
        if (!prefix && !own_error && !whole && !disturbed)
            complain(s.number, "not a prefix of the answer", s.received, got);
        ++counts_.cut;
    } else if (got == s.received) {
        ++counts_.exact;
    } else if (disturbed && (own_error || string_view(s.received).starts_with(got))) {
        connection_.close();
        ++counts_.disturbed;
    } else {
        connection_.close();
        complain(s.number, "another answer reached the client", s.received, got);
    }
}

} // namespace soak
