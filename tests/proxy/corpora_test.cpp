// The grammar and the smuggling classes that stand as data in tests/corpora, without sockets: each message is taken and
// written on, or refused, as its line says, however it is cut.
#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "tests/corpora/corpus.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>
#include <vector>

namespace corpora_test {

using namespace sidecar;

constexpr head_limits limits{64 * 1024, 100, 8 * 1024};
constexpr body_reader::limits body_limits{1024, 8 * 1024};

// What a proxy makes of a stream of messages, one after the other.
struct passage {
    std::string out;
    int messages = 0; // whole ones
    int refused = 0;  // status of a refusal, or 0
    bool operator==(const passage&) const = default;
};

int status_for(head_status status, bool is_response) {
    if (is_response) return 502;
    switch (status) {
    case head_status::not_implemented:
        return 501;
    case head_status::target_too_long:
        return 414;
    case head_status::header_too_large:
    case head_status::too_many_fields:
        return 431;
    default:
        return 400;
    }
}

head_status read_head(std::string_view bytes, std::size_t& searched, request_head& into) {
    return read_request_head(bytes, searched, limits, into);
}
head_status read_head(std::string_view bytes, std::size_t& searched, response_head& into) {
    return read_response_head(bytes, searched, limits, false, into);
}
void write_head(const request_head& head, buffer& out) { write_request_head(head, {}, out); }
void write_head(const response_head& head, buffer& out) { write_response_head(head, {}, out); }

bool is_refused(const request_head&) { return false; }
bool is_refused(const response_head& head) { return head.status == 101; } // nobody asked for it
bool is_whole_message(const request_head&) { return true; }
bool is_whole_message(const response_head& head) { return !head.is_interim(); }
bool goes_on(const request_head& head) { return head.persistent(); }
bool goes_on(const response_head& head) { return head.is_interim(); }

// Reads as a connection does: into a buffer, `cuts` after one another.
template <class Head>
class connection {
public:
    passage run(const std::vector<std::string_view>& cuts) {
        for (const auto cut : cuts) {
            in_.append(cut);
            while (!ended_ && step()) {
            }
        }
        if (in_body_ && body_.end_of_stream()) ++seen_.messages;
        return seen_;
    }

private:
    bool step() { return in_body_ ? take_body() : take_head(); }

    bool take_head() {
        Head head;
        const auto status = read_head(in_.data(), searched_, head);
        if (status == head_status::need_more) return false;
        if (status != head_status::complete || is_refused(head)) {
            seen_.refused = status_for(status, std::is_same_v<Head, response_head>);
            ended_ = true;
            return false;
        }
        searched_ = 0;
        head.storage = in_.take_front(head.consumed);
        buffer out(pool_);
        write_head(head, out);
        seen_.out += out.data();
        body_ = body_reader(head.body, body_limits);
        in_body_ = true;
        is_message_ = is_whole_message(head);
        is_last_ = !goes_on(head);
        return true;
    }

    bool take_body() {
        const auto piece = body_.take(in_.writable());
        seen_.out += piece.out;
        in_.consume(piece.used);
        if (body_.failed() != body_reader::fault::none) {
            seen_.refused = std::is_same_v<Head, response_head> ? 502 : 400;
            in_body_ = false;
            ended_ = true;
        } else if (body_.done()) {
            in_body_ = false;
            seen_.messages += is_message_ ? 1 : 0;
            ended_ = is_last_;
        }
        return !ended_ && (!in_body_ || (piece.used > 0 && !in_.empty()));
    }

    buffer_pool pool_;
    buffer in_{pool_};
    std::size_t searched_ = 0;
    body_reader body_;
    bool in_body_ = false;
    bool is_message_ = false;
    bool is_last_ = false;
    bool ended_ = false;
    passage seen_;
};

template <class Head>
passage passed(std::string_view bytes) {
    auto whole = connection<Head>().run({bytes});
    if (bytes.size() > 4000) return whole;
    for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
        const auto apart = connection<Head>().run({bytes.substr(0, cut), bytes.substr(cut)});
        if (!(apart == whole)) FAIL_CHECK("cut at ", cut);
    }
    std::vector<std::string_view> each;
    for (std::size_t i = 0; i < bytes.size(); ++i) each.push_back(bytes.substr(i, 1));
    CHECK(connection<Head>().run(each) == whole);
    return whole;
}

passage passed(const corpora::one_case& one) {
    const bool is_response = one.kind == corpora::kind::response || one.kind == corpora::kind::responses;
    const std::string head = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    if (is_response) return passed<response_head>(one.bytes);
    if (one.kind != corpora::kind::chunks) return passed<request_head>(one.bytes);
    auto seen = passed<request_head>(head + one.bytes);
    if (seen.out.starts_with(head)) seen.out.erase(0, head.size());
    return seen;
}

void check(const std::vector<corpora::one_case>& all) {
    CHECK(all.size() > 100);
    for (const auto& one : all) {
        CAPTURE(one.name);
        const auto seen = passed(one);
        switch (one.verdict) {
        case corpora::verdict::passes:
            CHECK(seen.refused == 0);
            CHECK(seen.out == one.expected);
            break;
        case corpora::verdict::refused:
            CHECK(seen.refused != 0);
            CHECK(seen.messages == 0);
            if (one.status) CHECK(seen.refused == one.status);
            break;
        case corpora::verdict::counted:
            CHECK(seen.messages == one.messages);
            break;
        case corpora::verdict::beyond:
            FAIL("for JSON alone");
        }
    }
}

TEST_CASE("the grammar of RFC 9112 and 9110, production by production") { check(corpora::http_grammar()); }
TEST_CASE("no class of smuggling makes two messages of one, or one of two") { check(corpora::smuggling()); }

} // namespace corpora_test
