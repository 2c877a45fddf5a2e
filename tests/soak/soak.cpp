// A structured fuzzer over whole exchanges, and a soak: random legal, illegal and cut traffic through a running
// sidecar, against an oracle: the bytes that came out are those that went in, or the exchange was refused. Meanwhile
// the backend is killed and restarted and the configuration reloaded. At the end: what was seen, and what was left in
// memory.
//     soak SIDECAR [--seconds N] [--seed N] [--clients N] [--calm]
#include "tests/harness/http_text.hpp"
#include "tests/harness/listener.hpp"
#include "tests/soak/script.hpp"

#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <list>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

namespace soak {
namespace {

using namespace std::chrono_literals;
using clock = std::chrono::steady_clock;
using std::string;
using std::string_view;

std::atomic<std::uint64_t> failures{0};
std::mutex say_mutex;

void complain(std::uint64_t number, string_view what, string_view expected = {}, string_view got = {}) {
    if (failures.fetch_add(1) >= 20) return;
    std::size_t differ = 0;
    while (differ < expected.size() && differ < got.size() && expected[differ] == got[differ]) ++differ;
    const auto around = [&](string_view text) {
        return harness::shown(text.substr(differ > 40 ? differ - 40 : 0, 200));
    };
    std::lock_guard lock(say_mutex);
    std::cout << "exchange " << number << ": " << what << "\n";
    if (!expected.empty() || !got.empty())
        std::cout << "  " << expected.size() << " bytes expected, " << got.size() << " came, they differ at " << differ
                  << "\n  expected: " << around(expected) << "\n  got:      " << around(got) << "\n";
}

// In pieces of random sizes, now and then with a breath in between.
bool send_in_pieces(harness::wire& to, string_view bytes, dice& d, bool urgent = false) {
    while (!bytes.empty()) {
        // One at most, and before the last byte, so that it has been read past when the next one comes: until then it
        // would be a byte like any other.
        if (urgent && d.one_in(3)) {
            ::send(to.descriptor(), "!", 1, MSG_OOB | MSG_NOSIGNAL);
            urgent = false;
        }
        const auto n = std::min<std::size_t>(bytes.size(), d.one_in(3) ? 1 + d.below(200) : 1 + d.below(60'000));
        if (!to.try_send(bytes.substr(0, n))) return false;
        bytes.remove_prefix(n);
        if (d.one_in(40)) std::this_thread::yield();
    }
    return true;
}

// The backend: a thread for each connection; killed and restarted by closing everything at once.
class backend {
public:
    explicit backend(std::uint64_t seed) : seed_(seed), acceptor_([this] { accept(); }) {}
    ~backend() {
        ending_ = true;
        acceptor_.join();
        for (auto& each : serving_) each.thread.join();
    }
    std::uint16_t port() const { return listener_.port(); }

    // As a container that is killed and comes back.
    void restart() {
        ++generation_;
        restarting_ = true;
        disturbed_until_ = (clock::now() + 2s).time_since_epoch().count();
    }
    // Down, or only just back.
    bool is_disturbed_at(clock::time_point at) const { return at.time_since_epoch().count() < disturbed_until_; }

private:
    void accept() {
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

    void serve(harness::wire& client, std::uint64_t born) {
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
    bool is_killed_by(harness::wire& client, const string& in) {
        if (!in.starts_with("POST /killed ") || in.find("\r\n\r\n") == string::npos) return false;
        const auto number = std::strtoull(harness::field_of(in, number_field).value_or("0").c_str(), nullptr, 10);
        const auto s = make_script(seed_, number);
        dice d(s.cuts + 1);
        client.try_send(s.answer);
        if (d.one_in(2)) std::this_thread::sleep_for(std::chrono::microseconds(d.below(3'000)));
        client.reset();
        return true;
    }

    bool answer(harness::wire& client, const string& request) {
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

    std::uint64_t seed_;
    harness::listener listener_{0, 512};
    struct one_connection {
        std::thread thread;
        std::atomic<bool> ended{false};
    };
    std::list<one_connection> serving_; // the acceptor's
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<bool> restarting_{false};
    std::atomic<clock::rep> disturbed_until_{0};
    std::atomic<bool> ending_{false};
    std::thread acceptor_;
};

struct tally {
    std::atomic<std::uint64_t> exact{0}, refused{0}, cut{0}, aborted{0}, disturbed{0};
};

class client {
public:
    client(std::uint64_t seed, std::uint16_t port, backend& api, tally& counts)
        : seed_(seed),
          port_(port),
          api_(api),
          counts_(counts) {}

    void run(std::atomic<std::uint64_t>& numbers, clock::time_point until) {
        while (clock::now() < until) {
            const auto s = make_script(seed_, ++numbers);
            try {
                exchange(s);
            } catch (const std::exception& e) {
                connection_.close();
                complain(s.number, e.what());
            }
        }
    }

private:
    void exchange(const script& s) {
        if (!connection_.is_open()) connection_ = harness::wire::connect(port_);
        ended_ = harness::ending::none;
        const auto began = clock::now();
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
    string receive(const script& s) {
        string got;
        std::array<char, 65536> piece{};
        const auto until = clock::now() + 120s; // others may want the processor, too
        while (!is_enough(got, s)) {
            pollfd waiting{connection_.descriptor(), POLLIN, 0};
            if (::poll(&waiting, 1, 100) == 0) {
                if (clock::now() > until)
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

    // The sidecar's own 5xx, behind interim answers perhaps; no script has these.
    static std::size_t error_at(string_view got) {
        for (const string_view line : {"HTTP/1.1 502 ", "HTTP/1.1 503 ", "HTTP/1.1 504 "})
            if (const auto at = got.substr(0, 400).find(line); at != string_view::npos) return at;
        return string_view::npos;
    }
    static bool is_enough(string_view got, const script& s) {
        if (const auto at = error_at(got); at != string_view::npos)
            return got.find("\r\n\r\n", at) != string_view::npos && (s.sent.starts_with("HEAD") || got.ends_with("}"));
        if (s.planned == fault::killed) return false;
        return s.planned == fault::none ? got.size() >= s.received.size() : got == s.received;
    }

    void judge(const script& s, const string& got, bool disturbed) {
        const int status = harness::status_of(got);
        const bool own_error = error_at(got) != string_view::npos;
        if (s.own_answer) {
            if (status != 404 || !got.ends_with(s.received))
                complain(s.number, "not the gate's answer", s.received, got);
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

    std::uint64_t seed_;
    std::uint16_t port_;
    backend& api_;
    tally& counts_;
    harness::wire connection_;
    harness::ending ended_ = harness::ending::none; // of the present exchange
};

// The sidecar as a process of its own, so that its memory and descriptors are its own too.
class sidecar_process {
public:
    sidecar_process(const string& binary, std::uint16_t backend_port) {
        harness::closed_port chosen;
        port_ = chosen.port();
        directory_ = std::filesystem::temp_directory_path() / ("soak-" + std::to_string(::getpid()));
        std::filesystem::create_directories(directory_);
        const auto address = "127.0.0.1:" + std::to_string(backend_port);
        std::ofstream(directory_ / "sidecar.yaml")
            << "listen: {address: \"127.0.0.1:" << port_ << "\"}\nworkers: 2\nupstream: {address: \"" << address
            << "\", connect_retry: 2s, no_answer: answer}\nstatus: {url: \"http://" << address
            << "/internal/consistency\", interval: 200ms, wait: 0s}\nadmin: {address: off}\nlog: {access: off, "
               "level: error}\n";
        const auto config = (directory_ / "sidecar.yaml").string();
        std::vector<string> words{binary, "--config", config};
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        if (::posix_spawn(&pid_, binary.c_str(), nullptr, nullptr, arguments.data(), environ) != 0)
            throw std::runtime_error("can't start " + binary);
        await_listening();
    }
    ~sidecar_process() {
        if (pid_ > 0) ::kill(pid_, SIGKILL), ::waitpid(pid_, nullptr, 0);
        std::filesystem::remove_all(directory_);
    }
    std::uint16_t port() const { return port_; }
    bool runs() { return pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == 0; }
    void reload() const { ::kill(pid_, SIGHUP); }
    int end() {
        int status = 0;
        ::kill(pid_, SIGTERM);
        ::kill(pid_, SIGTERM);
        ::waitpid(pid_, &status, 0);
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    std::size_t resident_kib() const {
        std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
        for (string line; std::getline(status, line);)
            if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10);
        return 0;
    }
    std::size_t descriptors() const {
        const std::filesystem::directory_iterator open("/proc/" + std::to_string(pid_) + "/fd");
        return static_cast<std::size_t>(std::distance(begin(open), end(open)));
    }

private:
    static std::filesystem::directory_iterator begin(const std::filesystem::directory_iterator& i) { return i; }
    static std::filesystem::directory_iterator end(const std::filesystem::directory_iterator&) { return {}; }
    void await_listening() const {
        for (const auto until = clock::now() + 20s; clock::now() < until;) {
            try {
                harness::wire::connect(port_);
                return;
            } catch (const std::exception&) {
                std::this_thread::yield();
            }
        }
        throw std::runtime_error("the sidecar does not listen");
    }

    std::filesystem::path directory_;
    std::uint16_t port_ = 0;
    pid_t pid_ = -1;
};

struct options {
    string sidecar;
    std::chrono::seconds duration{20};
    std::uint64_t seed = 1;
    unsigned clients = 16;
    bool calm = false;
};

void report(string_view when, const sidecar_process& proxy) {
    std::cout << when << ": " << proxy.resident_kib() << " KiB resident, " << proxy.descriptors() << " descriptors\n";
}

// The first poll has been taken when the gate closes.
void await_readiness(std::uint16_t port) {
    const string probe = "POST /api/v1/projects/" + string(not_ready_project) +
                         "/uploads HTTP/1.1\r\nHost: a\r\nAuthorization: t\r\n\r\n";
    for (const auto until = clock::now() + 20s; clock::now() < until;) {
        auto wire = harness::wire::connect(port);
        wire.send(probe);
        if (harness::status_of(wire.receive_answer().head) == 404) return;
    }
    throw std::runtime_error("the status document is not taken");
}

int run(const options& o) {
    backend api(o.seed);
    sidecar_process proxy(o.sidecar, api.port());
    tally counts;
    std::atomic<std::uint64_t> numbers{0};
    await_readiness(proxy.port());
    const auto began = clock::now();
    const auto until = began + o.duration;
    std::vector<std::thread> threads;
    for (unsigned i = 0; i < o.clients; ++i)
        threads.emplace_back([&] { client(o.seed, proxy.port(), api, counts).run(numbers, until); });
    dice d(o.seed);
    auto next_report = began + std::chrono::milliseconds(o.duration) / 10;
    for (auto next_fault = began + 2s; clock::now() < until && proxy.runs();) {
        std::this_thread::sleep_for(50ms);
        if (clock::now() > next_report) {
            report("after " + std::to_string((clock::now() - began) / 1s) + " s", proxy);
            next_report += std::chrono::milliseconds(o.duration) / 10;
        }
        if (o.calm || clock::now() < next_fault) continue;
        next_fault = clock::now() + 1s + std::chrono::milliseconds(d.below(3'000));
        d.one_in(2) ? api.restart() : proxy.reload();
    }
    const bool alive = proxy.runs();
    for (auto& each : threads) each.join();
    if (alive) report("at the end", proxy);
    const int code = alive ? proxy.end() : -1;
    if (code != 0) complain(0, "the sidecar ended with " + std::to_string(code));
    std::cout << numbers << " exchanges: " << counts.exact << " exact, " << counts.refused
              << " refused as they should be, " << counts.cut << " cut, " << counts.aborted << " left by the client, "
              << counts.disturbed << " disturbed by a restart\n"
              << numbers - std::min<std::uint64_t>(failures, numbers) << " passed, " << failures << " failed\n";
    return failures == 0 ? 0 : 1;
}

} // namespace
} // namespace soak

int main(int count, char** words) {
    std::signal(SIGPIPE, SIG_IGN);
    soak::options o;
    for (int i = 1; i < count; ++i) {
        const std::string word = words[i];
        const auto number = [&] { return i + 1 < count ? std::strtoull(words[++i], nullptr, 10) : 0; };
        if (word == "--seconds")
            o.duration = std::chrono::seconds(number());
        else if (word == "--seed")
            o.seed = number();
        else if (word == "--clients")
            o.clients = static_cast<unsigned>(number());
        else if (word == "--calm")
            o.calm = true;
        else
            o.sidecar = word;
    }
    if (o.sidecar.empty()) {
        std::cerr << "usage: soak SIDECAR [--seconds N] [--seed N] [--clients N] [--calm]\n";
        return 2;
    }
    try {
        return soak::run(o);
    } catch (const std::exception& e) {
        std::cerr << e.what() << "\n";
        return 1;
    }
}
