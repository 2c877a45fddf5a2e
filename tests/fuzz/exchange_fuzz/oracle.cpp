#include "tests/fuzz/exchange_fuzz/oracle.hpp"

#include "tests/harness/http_text.hpp"

#include <algorithm>
#include <charconv>

namespace exchange_fuzz {

namespace {

// Where a tag of another client begins; npos if there is none. Rubbish can lie within a tag and make another's of it,
// as of `<1` and `3.`: where the script has sent some, a tag counts if it is whole and repeated, as bodies repeat it.
std::size_t foreign_tag(std::string_view got, std::size_t index, bool rubbish_within) {
    for (auto at = got.find('<'); at != std::string_view::npos; at = got.find('<', at + 1)) {
        const auto rest = got.substr(at);
        const auto dot = rest.substr(0, 8).find('.');
        if (dot == std::string_view::npos || dot < 2) continue;
        std::size_t whose = 0;
        const auto [stop, error] = std::from_chars(rest.data() + 1, rest.data() + dot, whose);
        if (error != std::errc() || stop != rest.data() + dot || whose == index || whose >= clients_max) continue;
        if (!rubbish_within) return at;
        const auto whole = rest.substr(0, rest.find('>') + 1);
        if (!whole.empty() && whole.size() <= 8 && rest.substr(whole.size()).starts_with(whole)) return at;
    }
    return std::string_view::npos;
}

} // namespace

void oracle::check_client(const client_end& client, std::size_t index) const {
    const std::string_view got(client.link.received());
    // A response that was changed may have another end, or none: check_message() tells what is behind the others'.
    const bool changed = std::any_of(replies_.begin(), replies_.end(),
                                     [index](const replied& each) { return each.to.client == index && each.mangled; });
    expect(changed || got.find("POISON") == std::string_view::npos, "bytes from behind a response: ", got);
    if (!client.mangled) {
        const auto foreign = foreign_tag(got, index, changed);
        expect(foreign == std::string_view::npos,
               "bytes of another client: ", got.substr(std::min(foreign, got.size())));
    }
    expect(changed || client.mangled || got.find(R"("is_upload_ready":true)") == std::string_view::npos,
           "false readiness");
    if (!client.mangled && !client.tunnels) check_messages(client, index, got);
}

void oracle::check_messages(const client_end& client, std::size_t index, std::string_view got) const {
    std::size_t exchange = 0;
    while (!got.empty()) {
        const auto head_end = got.find("\r\n\r\n");
        if (head_end == std::string_view::npos) return; // cut short, and seen to be
        const auto head = got.substr(0, head_end + 4);
        got.remove_prefix(head.size());
        const int status = harness::status_of(head);
        expect(status >= 100, "no response: ", head);
        if (status < 200) continue;
        expect(exchange < client.requests.size(), "a response that nobody asked for: ", head);
        const auto& request = client.requests[exchange];
        const tag mine{index, exchange++};
        const bool bodiless = request.method == "HEAD" || status == 204 || status == 304;
        bool whole = true, until_close = false;
        std::string payload;
        if (bodiless) {
        } else if (harness::field_of(head, "Transfer-Encoding")) {
            const auto size = harness::chunked_size(got);
            whole = size.has_value();
            payload = whole ? harness::unchunked(got.substr(0, *size)) : std::string();
            got.remove_prefix(whole ? *size : got.size());
        } else if (const auto length = harness::field_of(head, "Content-Length")) {
            const auto size = std::stoul(*length);
            whole = got.size() >= size;
            payload = got.substr(0, size);
            got.remove_prefix(std::min(got.size(), size));
        } else {
            payload = got;
            got = {};
            until_close = true;
            whole = client.link.ended() == ending::fin && over_tcp_;
        }
        check_message(mine, head, payload, whole && !client.closed, until_close, bodiless);
    }
}

void oracle::check_message(const tag& mine, std::string_view head, const std::string& payload, bool whole,
                           bool until_close, bool bodiless) const {
    const auto whose = tag_of(head);
    if (!whose) { // a local reply
        const bool changed = std::any_of(replies_.begin(), replies_.end(),
                                         [&mine](const replied& each) { return each.to == mine && each.mangled; });
        expect(changed || bodiless || payload.starts_with(R"({"error":)") || !whole,
               "neither a response nor a local reply: ", head, payload);
        return;
    }
    expect(*whose == mine, "the response to another request: ", head);
    if (bodiless) return;
    bool possible = false;
    for (const auto& each : replies_) {
        if (each.to != mine) continue;
        if (each.mangled) return;
        const bool sent_whole = each.all_sent && !each.reset;
        const bool as_sent = whole ? payload == each.payload : each.payload.starts_with(payload);
        const bool augmented =
            each.payload.ends_with('}') && payload.starts_with(each.payload.substr(0, each.payload.size() - 1) +
                                                               R"(,"info":{"resource_consistency":{)");
        possible |= (as_sent || augmented || (!whole && payload.size() > each.payload.size())) &&
                    (!whole || sent_whole || (until_close && !over_tcp_));
    }
    expect(possible, whole ? "a whole response that was not sent whole, or another: " : "another response: ", head,
           payload);
}

} // namespace exchange_fuzz
