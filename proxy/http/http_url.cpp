#include "proxy/http/http_url.hpp"

#include "sidecar/message.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>

namespace sidecar {
namespace {

failure wrong(std::string what) { return failure{std::move(what)}; }

bool starts_with_word(std::string_view text, std::string_view word) {
    return text.size() >= word.size() && iequals(text.substr(0, word.size()), word);
}

// What a request line may hold (RFC 9112 3.2): visible ASCII. A blank would make it two.
bool is_visible(char c) { return c > 0x20 && c < 0x7f; }

result<std::uint16_t> read_port(std::string_view digits) {
    unsigned port = 0;
    const auto [end, ec] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (ec != std::errc() || end != digits.data() + digits.size() || port == 0 || port > 65535)
        return wrong("the port must be a number from 1 to 65535");
    return static_cast<std::uint16_t>(port);
}

// host, host:port, [v6], [v6]:port
result<endpoint> read_authority(std::string_view authority, std::uint16_t default_port) {
    if (authority.find('@') != std::string_view::npos)
        return wrong("no user and password in the URL: put them into status.headers");
    endpoint origin;
    origin.port = default_port;
    std::string_view port;
    if (authority.starts_with('[')) {
        const auto closing = authority.find(']');
        if (closing == std::string_view::npos) return wrong("'[' without ']'");
        origin.host = authority.substr(1, closing - 1);
        port = authority.substr(closing + 1);
    } else {
        const auto colon = authority.find(':');
        origin.host = authority.substr(0, colon);
        port = colon == std::string_view::npos ? std::string_view{} : authority.substr(colon);
    }
    if (origin.host.empty()) return wrong("no host");
    if (is_odd_address(origin.host)) return wrong("write the host's address as four numbers, such as 127.0.0.1");
    if (!port.empty()) {
        if (!port.starts_with(':')) return wrong("only ':' and a port may follow ']'");
        const auto number = read_port(port.substr(1));
        if (!number) return number.error();
        origin.port = *number;
    }
    return origin;
}

} // namespace

// As the URL standard of browsers has it: a host is meant as an address if its last part is a number.
bool is_odd_address(std::string_view host) noexcept {
    if (host.ends_with('.')) host.remove_suffix(1);
    const auto dot = host.rfind('.');
    auto last = dot == std::string_view::npos ? host : host.substr(dot + 1);
    const bool is_hex = starts_with_word(last, "0x");
    if (is_hex) last.remove_prefix(2);
    const auto digits = std::string_view(is_hex ? "0123456789abcdefABCDEF" : "0123456789");
    if ((last.empty() && !is_hex) || last.find_first_not_of(digits) != std::string_view::npos) return false;
    in_addr address{};
    return host.size() > INET_ADDRSTRLEN || ::inet_pton(AF_INET, std::string(host).c_str(), &address) != 1;
}

result<http_url> parse_http_url(std::string_view text) {
    http_url url;
    if (starts_with_word(text, "https://"))
        url.tls = true;
    else if (!starts_with_word(text, "http://"))
        return wrong("must begin with http:// or https://");
    if (!std::all_of(text.begin(), text.end(), is_visible))
        return wrong("blanks, control and non-ASCII bytes must be percent-encoded");
    if (text.find('#') != std::string_view::npos) return wrong("no fragment: '#' is not sent");

    const std::uint16_t default_port = url.tls ? 443 : 80;
    const auto rest = text.substr(url.tls ? 8 : 7);
    const auto target_at = std::min(rest.find_first_of("/?"), rest.size());
    auto origin = read_authority(rest.substr(0, target_at), default_port);
    if (!origin) return origin.error();
    url.origin = std::move(*origin);

    url.target = rest.substr(target_at);
    if (!url.target.starts_with('/')) url.target.insert(0, 1, '/');
    url.path = url.target.substr(0, url.target.find('?'));

    const bool v6 = url.origin.host.find(':') != std::string::npos;
    url.host_field = v6 ? "[" + url.origin.host + "]" : url.origin.host;
    if (url.origin.port != default_port) url.host_field += ":" + std::to_string(url.origin.port);
    return url;
}

} // namespace sidecar
