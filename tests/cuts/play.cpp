#include "tests/cuts/exchanges.hpp"
#include "tests/harness/http_text.hpp"

#include <algorithm>
#include <deque>
#include <stdexcept>

namespace cuts {

namespace {

// Bytes on their way out of one end, in pieces; the next goes when nothing moves any more.
class sending {
public:
    void add(const std::string& bytes, const std::vector<std::size_t>& cuts) {
        std::size_t at = 0;
        for (const auto cut : cuts) {
            if (cut <= at || cut >= bytes.size()) continue;
            pieces_.push_back(bytes.substr(at, cut - at));
            at = cut;
        }
        pieces_.push_back(bytes.substr(at));
    }
    bool done() const { return pieces_.empty(); }
    // What the kernel takes of the present piece.
    bool push(end& to) {
        if (done() || !released_) return false;
        auto& piece = pieces_.front();
        const auto n = to.send(piece);
        const bool gone = !to.is_open() || (n == 0 && !piece.empty() && to.ended() != ending::none);
        piece.erase(0, n);
        if (piece.empty() || gone) {
            pieces_.pop_front();
            released_ = false;
            return true;
        }
        return n > 0;
    }
    bool release() { return !done() && !std::exchange(released_, true); }
    bool stuck() const { return !done() && released_; }
    void give_up() { pieces_.clear(), released_ = false; }

private:
    std::deque<std::string> pieces_;
    bool released_ = false;
};

struct backend_end {
    end link;
    sending out;
    std::size_t answered_to = 0; // offset behind the last request that has been answered whole
    bool in_body = false;        // the present request has been answered, but its body is still coming
    std::optional<reply::then> after;
};

class playing {
public:
    playing(stage& on, const script& what, const plan& how) : stage_(on), script_(what), plan_(how) {}

    outcome run() {
        client_ = stage_.connect_client();
        for (std::size_t idle = 0;;) {
            if (move()) {
                if (++moves_ > moves_max) throw std::runtime_error("it does not come to rest");
                idle = 0;
                continue;
            }
            if (release_pieces() || begin_part(true)) continue;
            if (++idle > 1) break; // nothing left to do
        }
        auto result = look();
        tear_down();
        return result;
    }

private:
    static constexpr std::size_t moves_max = 3'000'000;

    // One round of everything that can go on.
    bool move() {
        bool moved = stage_.turn() > 0;
        moved |= client_.read();
        while (auto made = stage_.accept_backend()) {
            backends_.push_back({std::move(*made), {}, 0, false, {}});
            moved = true;
        }
        for (auto& each : backends_) moved |= each.link.read();
        for (auto& each : backends_) moved |= begin_reply(each);
        moved |= begin_part(false);
        moved |= push();
        return moved;
    }

    bool push() {
        bool moved = from_client_.push(client_);
        if (from_client_.done() && end_client_) {
            end_client_ = false;
            client_.end_writing();
            moved = true;
        }
        for (auto& each : backends_) {
            moved |= each.out.push(each.link);
            if (!each.out.done() || !each.after) continue;
            const auto how = *std::exchange(each.after, {});
            if (how == reply::then::fin) each.link.end_writing();
            if (how == reply::then::reset) each.link.reset();
            moved |= how != reply::then::keep;
        }
        return moved;
    }

    bool release_pieces() {
        bool any = from_client_.release();
        for (auto& each : backends_) any |= each.out.release();
        return any;
    }

    bool begin_part(bool is_quiet) {
        if (parts_ == script_.client.size() || !from_client_.done() || end_client_) return false;
        const auto& next = script_.client[parts_];
        if (next.begins == part::when::quiet && !is_quiet) return false;
        if (next.begins == part::when::seen && client_.received().find(next.awaited) == std::string::npos) return false;
        from_client_.add(next.bytes, cuts_of(plan::side::client, parts_, next.bytes.size()));
        from_client_.release();
        end_client_ = next.then_ends;
        ++parts_;
        return true;
    }

    bool begin_reply(backend_end& at) {
        const std::string_view got(at.link.received());
        if (at.in_body) {
            const auto size = harness::request_size(got.substr(at.answered_to));
            if (!size) return false;
            at.answered_to += *size;
            at.in_body = false;
            return true;
        }
        if (replies_ == script_.backend.size() || !at.link.is_open() || !at.out.done()) return false;
        const auto& next = script_.backend[replies_];
        const auto rest = got.substr(at.answered_to);
        switch (next.begins) {
        case reply::on::text:
            if (got.find(next.awaited) == std::string::npos) return false;
            break;
        case reply::on::head:
            if (rest.find("\r\n\r\n") == std::string::npos) return false;
            at.in_body = !next.interim;
            break;
        case reply::on::request: {
            const auto size = harness::request_size(rest);
            if (!size) return false;
            if (!next.interim) at.answered_to += *size;
            break;
        }
        }
        at.out.add(next.bytes, cuts_of(plan::side::backend, replies_, next.bytes.size()));
        at.out.release();
        at.after = next.after;
        ++replies_;
        return true;
    }

    std::vector<std::size_t> cuts_of(plan::side whose, std::size_t index, std::size_t size) const {
        std::vector<std::size_t> cuts;
        if (plan_.whose == whose && plan_.index == index) cuts.push_back(plan_.at);
        if (plan_.whose == plan::side::everybody)
            for (auto at = plan_.pieces; at < size; at += plan_.pieces) cuts.push_back(at);
        return cuts;
    }

    outcome look() const {
        outcome seen;
        seen.at_client = client_.received();
        for (auto at = seen.at_client.find("\r\nDate: "); at != std::string::npos;
             at = seen.at_client.find("\r\nDate: ", at)) {
            const auto line_end = seen.at_client.find("\r\n", at + 2);
            seen.at_client.erase(at, line_end - at);
        }
        seen.client_ended = client_.ended();
        for (const auto& each : backends_)
            seen.at_backend.push_back({each.link.received(), each.link.ended() != ending::none});
        seen.replies = replies_;
        return seen;
    }

    void tear_down() {
        client_.reset();
        for (auto& each : backends_) each.link.reset();
        while (stage_.turn() > 0) continue;
        while (stage_.accept_backend()) stage_.turn();
    }

    stage& stage_;
    const script& script_;
    const plan& plan_;
    end client_;
    sending from_client_;
    bool end_client_ = false;
    std::size_t parts_ = 0;
    std::deque<backend_end> backends_;
    std::size_t replies_ = 0;
    std::size_t moves_ = 0;
};

// Of a local reply: its status and the code in its body. What it says in words is for people.
std::string refusal_of(const std::string& bytes) {
    constexpr std::string_view code = R"("code":")";
    const auto begin = bytes.find(code);
    if (begin == std::string::npos) return {};
    const auto status = bytes.rfind("HTTP/1.", begin);
    if (status == std::string::npos) return {};
    const auto from = begin + code.size();
    return bytes.substr(status + 9, 3) + " " + bytes.substr(from, bytes.find('"', from) - from);
}

// Whether whoever got this sees that its last message is not whole.
bool is_visibly_cut_short(std::string_view bytes, ending how) {
    while (true) {
        const auto head_end = bytes.find("\r\n\r\n");
        if (head_end == std::string_view::npos) return true;
        const auto head = bytes.substr(0, head_end + 4);
        bytes.remove_prefix(head.size());
        const int status = harness::status_of(head);
        std::size_t size = 0;
        if (harness::field_of(head, "Transfer-Encoding")) {
            const auto whole = harness::chunked_size(bytes);
            if (!whole) return true;
            size = *whole;
        } else if (const auto length = harness::field_of(head, "Content-Length")) {
            size = std::stoul(*length);
        } else if (status >= 200) {
            return how == ending::reset;
        }
        if (bytes.size() < size) return true;
        bytes.remove_prefix(size);
        if (bytes.empty()) return false;
    }
}

std::string told(const outcome& of) {
    static constexpr const char* const endings[] = {"stays", "FIN", "RST"};
    std::string text =
        "client gets " + harness::shown(of.at_client) + ", " + endings[static_cast<std::size_t>(of.client_ended)] + ";";
    for (const auto& each : of.at_backend)
        text += " backend gets " + harness::shown(each.got) + (each.ended ? ", end;" : ", stays;");
    return text;
}

} // namespace

const std::string document =
    R"({"projects":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_upload_ready":false,"is_download_ready":false}],)"
    R"("files":[{"id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","is_download_ready":false}]})";

void configure(sidecar::config& c) { c.rules.augment_body_max = 1'000; }

outcome play(stage& on, const script& what, const plan& how) { return playing(on, what, how).run(); }

std::string described(const script& of, const plan& how) {
    switch (how.whose) {
    case plan::side::nobody:
        return of.name + ", uncut";
    case plan::side::everybody:
        return of.name + ", in pieces of " + std::to_string(how.pieces);
    default:
        return of.name + ", the " + (how.whose == plan::side::client ? "client's" : "backend's") + " bytes " +
               std::to_string(how.index) + " cut at " + std::to_string(how.at);
    }
}

std::string difference(const script& of, const outcome& uncut, const outcome& cut) {
    if (cut == uncut) return {};
    const auto refusal = refusal_of(uncut.at_client);
    if (!refusal.empty()) {
        const bool same = refusal_of(cut.at_client) == refusal && cut.client_ended == uncut.client_ended;
        const bool same_at_backend = cut.at_backend == uncut.at_backend;
        if (same && (same_at_backend || of.goes_wrong_late)) return {};
        // The response had begun when it went wrong: then it must be seen to be cut short.
        if (of.goes_wrong_late && cut.client_ended != ending::none && refusal_of(cut.at_client).empty() &&
            is_visibly_cut_short(cut.at_client, cut.client_ended))
            return {};
    }
    return "uncut: " + told(uncut) + "\n      cut: " + told(cut);
}

} // namespace cuts
