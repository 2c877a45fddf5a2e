// Reads the id of a resource that a response has just made.
#include "sidecar/augment.hpp"

#include "rules/json.hpp"
#include "sidecar/message.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <memory>

namespace sidecar {
namespace {

// For inflateInit2: the window's size says which container is expected.
enum class container : int { none = -MAX_WBITS, zlib = MAX_WBITS, gzip = MAX_WBITS + 16 };

// The whole of it, or nothing: not if it is damaged, cut short, followed by something else, or larger.
std::optional<std::string> inflated(container expected, std::string_view body, std::size_t bytes_max) {
    z_stream stream{};
    if (body.size() > std::numeric_limits<uInt>::max()) return std::nullopt;
    if (inflateInit2(&stream, static_cast<int>(expected)) != Z_OK) return std::nullopt;
    const std::unique_ptr<z_stream, int (*)(z_stream*)> ends_it(&stream, inflateEnd);
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data())); // zlib only reads it
    stream.avail_in = static_cast<uInt>(body.size());
    std::string out;
    int code = Z_OK;
    while (code == Z_OK && out.size() <= bytes_max) {
        // One byte more than may be, to tell `at the limit` from `beyond it`.
        const std::size_t before = out.size(), step = std::min<std::size_t>(16 * 1024, bytes_max + 1 - before);
        out.resize(before + step);
        stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
        stream.avail_out = static_cast<uInt>(step);
        code = inflate(&stream, Z_NO_FLUSH);
        out.resize(out.size() - stream.avail_out);
    }
    if (code != Z_STREAM_END || stream.avail_in != 0 || out.size() > bytes_max) return std::nullopt;
    return out;
}

// The last of several, as other readers have it.
std::optional<uuid> id_of(const json_text& text) {
    const padded_json json(text);
    const whole_json whole(json);
    simdjson::dom::object object;
    if (whole.error() != simdjson::SUCCESS || whole.root().get(object) != simdjson::SUCCESS) return std::nullopt;
    std::optional<uuid> id;
    for (const auto [name, value] : object)
        if (name == "id") id = value.is_string() ? parse_uuid(value.get_string().value_unsafe()) : std::nullopt;
    return id;
}

} // namespace

std::optional<uuid> id_of_response(const json_text& body, std::string_view content_encoding, std::size_t bytes_max) {
    if (content_encoding.empty() || iequals(content_encoding, "identity"))
        return body.text.size() <= bytes_max ? id_of(body) : std::nullopt;

    std::optional<std::string> text;
    if (iequals(content_encoding, "gzip") || iequals(content_encoding, "x-gzip")) {
        text = inflated(container::gzip, body.text, bytes_max);
    } else if (iequals(content_encoding, "deflate")) {
        // RFC 9110 8.4.1.2: zlib's container it is, but some senders leave it out.
        text = inflated(container::zlib, body.text, bytes_max);
        if (!text) text = inflated(container::none, body.text, bytes_max);
    }
    return text ? id_of(*text) : std::nullopt;
}

} // namespace sidecar
