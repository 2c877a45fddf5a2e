// The status poll over https: whom it trusts.
#include "proxy/control_plane/http_client.hpp"
#include "proxy/control_plane/status_poll.hpp"
#include "tests/proxy/certificates.hpp"
#include "tests/proxy/control_tools.hpp"
#include "tests/proxy/scripted_http.hpp"

#include <boost/asio/co_spawn.hpp>

#include <doctest/doctest.h>

#include <optional>

namespace status_tls_test {

using namespace sidecar;
using namespace sidecar::testing;

const schema needs{{{"projects", {"is_upload_ready"}}}};

struct tls_place : temporary_directory {
    certificate authority = make_authority("test authority");
    std::string ca_file = path / "ca.pem", certificate_file = path / "server.pem", key_file = path / "server.key";

    tls_place() { authority.write(ca_file, path / "ca.key"); }

    void serve_as(const std::string& names, int days = 1) {
        make_certificate(authority, names, days).write(certificate_file, key_file);
    }
};

struct polling {
    boost::asio::io_context io;
    readable_log log;
    control_metrics metrics;
    readiness_board board;
    status_poll poll{io, board, log.log, metrics};

    polling(const std::string& url, const std::string& ca_file) {
        status_config values;
        values.url = url;
        values.interval = 20ms;
        values.ca_file = ca_file;
        board.configure(needs, values.max_age, values.unlisted_means);
        poll.start(values, needs);
    }
    // Whether the first two polls are good; what was wrong with them.
    bool is_good() {
        REQUIRE(run_until(io, [this] { return metrics.polls_ok.get() >= 2 || metrics.polls_failed.get() > 0; }));
        return metrics.polls_failed.get() == 0;
    }
    bool failed_in_tls() const {
        return metrics.polls_failed_by[static_cast<std::size_t>(poll_failure::tls)].get() > 0 &&
               metrics.polls_ok.get() == 0;
    }
};

scripted_http::answer empty(const std::string&) { return json("{}"); }

TEST_CASE("what no certificate can be for is not asked, whatever certificate there is") {
    tls_place place;
    place.serve_as("DNS:localhost,IP:127.0.0.1");
    const scripted_http server(empty, 0, place.certificate_file, place.key_file);
    auto url = *parse_http_url("https://127.0.0.1:" + std::to_string(server.port()) + "/");
    for (const char* odd : {"127.1", "2130706433", "0x7f.1"}) {
        CHECK_FALSE(parse_http_url("https://" + std::string(odd) + "/").has_value());
        url.origin.host = odd; // as if it had not been refused
        boost::asio::io_context io;
        http_client client(io, url, "", place.ca_file, kib);
        std::optional<http_failure> why;
        bool ended = false;
        const auto by = std::chrono::steady_clock::now() + 20s;
        boost::asio::co_spawn(io, client.get({}, by, by), [&](const std::exception_ptr&, const auto& got) {
            ended = true;
            if (!got) why = got.error();
        });
        REQUIRE(run_until(io, [&] { return ended; }));
        REQUIRE(why);
        CHECK(why->kind == poll_failure::tls);
        CHECK(why->message == "TLS: no certificate can be for '" + std::string(odd) + "'");
    }
    CHECK(server.requests().empty());
}

TEST_CASE("https with a private authority: by name, by address, on one kept connection") {
    tls_place place;
    place.serve_as("DNS:localhost,IP:127.0.0.1");
    const scripted_http server(empty, 0, place.certificate_file, place.key_file);
    polling by_name(server.url(), place.ca_file);
    CHECK(by_name.is_good());
    CHECK(server.connections_count() == 1);
    polling by_address("https://127.0.0.1:" + std::to_string(server.port()) + "/", place.ca_file);
    CHECK(by_address.is_good());
}

TEST_CASE("an authority that is not trusted fails the poll") {
    tls_place place, other;
    place.serve_as("DNS:localhost");
    const scripted_http server(empty, 0, place.certificate_file, place.key_file);
    polling with_another(server.url(), other.ca_file);
    CHECK_FALSE(with_another.is_good());
    CHECK(with_another.failed_in_tls());
    polling with_the_systems(server.url(), "");
    CHECK_FALSE(with_the_systems.is_good());
    CHECK(with_the_systems.failed_in_tls());
    CHECK(server.requests_count() == 0); // no header, no secret, has gone out
}

TEST_CASE("a certificate for another name, or one that has expired, fails the poll, and the log says so") {
    tls_place place;
    std::string expected = "ostname mismatch";
    SUBCASE("another name") { place.serve_as("DNS:other.example"); }
    SUBCASE("an address only") { place.serve_as("IP:127.0.0.1"); }
    SUBCASE("expired") {
        place.serve_as("DNS:localhost", -1);
        expected = "expired";
    }
    const scripted_http server(empty, 0, place.certificate_file, place.key_file);
    polling sidecar(server.url(), place.ca_file);
    CHECK_FALSE(sidecar.is_good());
    CHECK(sidecar.failed_in_tls());
    CHECK(server.requests_count() == 0);
    CHECK(sidecar.poll.report().failure.find(expected) != std::string::npos);
}

TEST_CASE("a ca_file that can't be read fails the poll; once it is there the poll is good") {
    tls_place place;
    place.serve_as("DNS:localhost");
    const scripted_http server(empty, 0, place.certificate_file, place.key_file);
    const std::string later = place.path / "later.pem";
    polling sidecar(server.url(), later);
    CHECK_FALSE(sidecar.is_good());
    CHECK(sidecar.poll.report().failure.find(later) != std::string::npos);
    std::filesystem::copy_file(place.ca_file, later);
    CHECK(run_until(sidecar.io, [&] { return sidecar.metrics.polls_ok.get() > 0; }));
}

TEST_CASE("a backend without TLS fails a poll by https") {
    const scripted_http server([](const std::string&) {
        return scripted_http::answer{"HTTP/1.1 400 Bad Request\r\n\r\n", true};
    });
    polling sidecar("https://localhost:" + std::to_string(server.port()) + "/", "");
    CHECK_FALSE(sidecar.is_good());
}

} // namespace status_tls_test
