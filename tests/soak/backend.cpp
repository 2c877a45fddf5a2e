#include "tests/soak/backend.hpp"

#include "tests/harness/http_text.hpp"
#include "tests/soak/complaints.hpp"
#include "tests/soak/pieces.hpp"
#include "tests/soak/script.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

namespace soak {

using namespace std::chrono_literals;
using std::string;
using std::string_view;
using std::chrono::steady_clock;

backend::backend(std::uint64_t seed) : seed_(seed), acceptor_([this] { accept(); }) {}

backend::~backend() {
    ending_ = true;
    acceptor_.join();
    for (auto& each : serving_) each.thread.join();
}

void backend::restart() {
    ++generation_;
    restarting_ = true;
    disturbed_until_ = (steady_clock::now() + 2s).time_since_epoch().count();
}

bool backend::is_disturbed_at(steady_clock::time_point at) const {
    return at.time_since_epoch().count() < disturbed_until_;
}

void backend::accept() {
    while (!ending_) {
        if (restarting_.exchange(false)) {
            listener_.close();
            std::this_thread::sleep_for(200ms); // it is down for that long: that is the fault
            listener_.listen_again(512);
        }
        pollfd waiting{listener_.descriptor(), POLLIN, 0};
        if (::poll(&waiting, 1, 20) != 1) continue;
        auto wire = std::make_shared<harness::wire>(listener_.accept());
        serving_.remove_if([](one_connection& each) { return each.ended && (each.thread.join(), true); });
        auto& one = serving_.emplace_back();
        one.thread = std::thread([this, &one, wire, born = generation_.load()] {
            serve(*wire, born);
            one.ended = true;
        });
    }
}

void backend::serve(harness::wire& client, std::uint64_t born) {
    string in;
    std::array<char, 65536> piece{};
    while (!ending_ && generation_ == born) {
        pollfd waiting{client.descriptor(), POLLIN, 0};
        if (::poll(&waiting, 1, 50) != 1) continue;
        const auto n = ::recv(client.descriptor(), piece.data(), piece.size(), MSG_DONTWAIT);
        if (n <= 0) return;
        in.append(piece.data(), static_cast<std::size_t>(n));
        if (is_killed_by(client, in)) return;
        while (const auto size = harness::request_size(in)) {
            const auto request = in.substr(0, *size);
            in.erase(0, *size);
            if (!answer(client, request)) return;
        }
    }
    client.reset();
}

// Within the request's body, or as its last byte comes.
bool backend::is_killed_by(harness::wire& client, const string& in) {
    if (!in.starts_with("POST /killed ") || in.find("\r\n\r\n") == string::npos) return false;
    const auto number = std::strtoull(harness::field_of(in, number_field).value_or("0").c_str(), nullptr, 10);
    const auto s = make_script(seed_, number);
    dice d(s.cuts + 1);
    client.try_send(s.answer);
    if (d.one_in(2)) std::this_thread::sleep_for(std::chrono::microseconds(d.below(3'000)));
    client.reset();
    return true;
}

bool backend::answer(harness::wire& client, const string& request) {
    if (request.starts_with("GET /internal/consistency")) {
        const string body = R"({"projects":[{"id":")" + string(not_ready_project) +
                            R"(","is_upload_ready":false,"is_download_ready":false}]})";
        return client.try_send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " +
                               std::to_string(body.size()) + "\r\n\r\n" + body);
    }
    const auto number = std::strtoull(harness::field_of(request, number_field).value_or("0").c_str(), nullptr, 10);
    if (number == 0) return client.try_send("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); // before it is known
    const auto s = make_script(seed_, number);
    if (s.planned == fault::illegal_request)
        complain(number, "an illegal request reached the backend", "", request);
    else if (s.planned != fault::client_aborts && request != s.arrives)
        complain(number, "another request reached the backend", s.arrives, request);
    dice d(s.cuts + 1);
    if (s.planned == fault::no_answer) return false;
    if (s.planned == fault::answer_cut) {
        send_in_pieces(client, string_view(s.answer).substr(0, d.below(s.answer.size())), d);
        if (d.one_in(2)) client.reset();
        return false;
    }
    string_view answer = s.answer;
    if (s.apart) {
        const auto head = answer.substr(0, answer.rfind("\r\n\r\n", answer.find("\r\n\r\n") + 3) + 4);
        if (!client.try_send(head)) return false;
        std::this_thread::sleep_for(1ms); // the head has been read: that is what is tested
        answer.remove_prefix(head.size());
    }
    if (s.behind.empty() || answer.empty()) {
        if (!send_in_pieces(client, answer, d, s.urgent)) return false;
    } else {
        const auto last = answer.substr(answer.size() - 1);
        if (!send_in_pieces(client, answer.substr(0, answer.size() - 1), d, s.urgent)) return false;
        client.try_send(string(last) + s.behind); // it may be closed at once
    }
    return !s.backend_closes && s.planned == fault::none;
}

} // namespace soak
