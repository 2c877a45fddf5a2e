#include "proxy/control_plane/status_request.hpp"

#include "sidecar/augment.hpp"
#include "sidecar/message.hpp"

#include <algorithm>
#include <fstream>
#include <utility>

namespace sidecar {
namespace {

constexpr std::size_t secret_bytes_max = 64 * kib;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Bytes that would end the field, or the request.
bool is_field_value(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7f;
    });
}

result<std::string> read_secret(const request_header& header) {
    const auto about = "status.headers '" + header.name + "': '" + header.file + "' ";
    std::ifstream file(header.file, std::ios::binary);
    if (!file) return failure{about + "can't be read"};
    std::string secret(secret_bytes_max + 1, '\0');
    file.read(secret.data(), static_cast<std::streamsize>(secret.size()));
    secret.resize(static_cast<std::size_t>(file.gcount()));
    if (secret.size() > secret_bytes_max) return failure{about + "is too large for a secret"};
    while (secret.ends_with('\n') || secret.ends_with('\r')) secret.pop_back();
    if (!is_field_value(secret)) return failure{about + "holds control bytes"};
    return {boost::system::in_place_value, std::move(secret)}; // a string could be a failure as well
}

// A configured field takes the place of one of ours.
void set(http_client::fields& fields, const std::string& name, std::string value) {
    for (auto& field : fields)
        if (iequals(field.first, name)) {
            field.second = std::move(value);
            return;
        }
    fields.emplace_back(name, std::move(value));
}

// What may be a secret is left out: a query, often status.url's own come back, and user information.
std::string without_secrets(std::string location) {
    location.resize(std::min(location.find_first_of("?#"), location.size()));
    const auto slashes = location.find("//");
    if (slashes == std::string::npos || (slashes != 0 && location[slashes - 1] != ':')) return location;
    const auto authority = slashes + 2;
    const auto at = std::string_view(location).substr(0, location.find('/', authority)).rfind('@');
    if (at != std::string_view::npos && at >= authority) location.erase(authority, at + 1 - authority);
    return location;
}

std::string redirected(const http_answer& answer) {
    std::string text =
        "answer " + std::to_string(answer.status) + ", a redirect to '" + without_secrets(answer.location) + "'";
    if (answer.status == 301 && iequals(std::string_view(answer.location).substr(0, 8), "https://"))
        text += ": a backend with force_ssl wants 'X-Forwarded-Proto: https' among status.headers";
    return text;
}

} // namespace

result<http_client::fields> status_request_fields(const status_config& values, std::string_view etag,
                                                  std::chrono::seconds hold) {
    http_client::fields fields{
        {"User-Agent", "sidecar"}, {"Accept", "application/json"}, {"Accept-Encoding", "identity"}};
    for (const auto& header : values.headers) {
        if (header.file.empty()) {
            set(fields, header.name, header.value);
            continue;
        }
        auto secret = read_secret(header);
        if (!secret) return secret.error();
        set(fields, header.name, std::move(*secret));
    }
    if (!etag.empty()) set(fields, "If-None-Match", std::string(etag));
    if (hold.count() > 0) set(fields, "Prefer", "wait=" + std::to_string(hold.count()));
    return fields;
}

std::optional<http_failure> why_not_a_document(const http_answer& answer) {
    if (answer.status == 304)
        return http_failure{poll_failure::status, "answer 304 although nothing was known to compare with", false};
    if (answer.status / 100 == 3) return http_failure{poll_failure::redirect, redirected(answer), false};
    if (answer.status != 200)
        return http_failure{poll_failure::status, "answer " + std::to_string(answer.status) + ", not 200", false};
    if (!is_json_media_type(answer.content_type))
        return http_failure{poll_failure::media_type,
                            "Content-Type '" + answer.content_type + "', not application/json", false};
    if (!answer.content_encoding.empty() && !iequals(answer.content_encoding, "identity"))
        return http_failure{poll_failure::media_type,
                            "Content-Encoding '" + answer.content_encoding + "' although none was asked for", false};
    return std::nullopt;
}

bool says_wait_applied(std::string_view applied) {
    while (!applied.empty()) {
        const auto comma = std::min(applied.find(','), applied.size());
        const auto preference = applied.substr(0, comma);
        if (iequals(trimmed(preference.substr(0, preference.find_first_of("=;"))), "wait")) return true;
        applied.remove_prefix(std::min(comma + 1, applied.size()));
    }
    return false;
}

} // namespace sidecar
