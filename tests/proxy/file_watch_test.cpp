#include "proxy/control_plane/file_watch.hpp"
#include "tests/proxy/control_tools.hpp"

#include <doctest/doctest.h>

namespace file_watch_test {

using namespace sidecar;
using namespace sidecar::testing;
namespace fs = std::filesystem;

struct watched : temporary_directory {
    boost::asio::io_context io;
    fs::path file = path / "sidecar.yaml";
    int changes = 0;

    bool until_changes(int n) {
        return run_until(io, [&] { return changes >= n; });
    }
    // Nothing more comes once everything has settled.
    void settle() {
        const auto end = std::chrono::steady_clock::now() + 100ms;
        run_until(io, [&] { return std::chrono::steady_clock::now() >= end; });
    }
};

constexpr file_watch::periods by_events{20ms, 1h};
constexpr file_watch::periods by_looking{20ms, 30ms};

TEST_CASE("writing, replacing and removing-and-making a file are changes, each one") {
    watched w;
    write_file(w.file, "a");
    const file_watch watch(
        w.io, w.file, [&] { ++w.changes; }, by_events);
    write_file(w.file, "ab");
    REQUIRE(w.until_changes(1));
    write_file(w.path / "new", "abc");
    fs::rename(w.path / "new", w.file);
    REQUIRE(w.until_changes(2));
    fs::remove(w.file);
    w.settle();
    CHECK(w.changes == 2);
    write_file(w.file, "abcd");
    REQUIRE(w.until_changes(3));
    w.settle();
    CHECK(w.changes == 3);
}

TEST_CASE("many writes at a time are one change") {
    watched w;
    write_file(w.file, "a");
    const file_watch watch(w.io, w.file, [&] { ++w.changes; }, {200ms, 1h});
    for (int i = 0; i < 50; ++i) write_file(w.file, std::string(static_cast<std::size_t>(i), 'x'));
    REQUIRE(w.until_changes(1));
    w.settle();
    CHECK(w.changes == 1);
}

TEST_CASE("another file in the directory is none of its business") {
    watched w;
    write_file(w.file, "a");
    const file_watch watch(
        w.io, w.file, [&] { ++w.changes; }, by_events);
    write_file(w.path / "other.yaml", "x");
    w.settle();
    CHECK(w.changes == 0);
}

TEST_CASE("the kubelet's swap of a ConfigMap is seen, again and again") {
    watched w;
    const auto publish = [&](const std::string& version) {
        fs::create_directory(w.path / (".." + version));
        write_file(w.path / (".." + version) / "sidecar.yaml", version);
        fs::create_symlink(".." + version, w.path / "..data_tmp");
        fs::rename(w.path / "..data_tmp", w.path / "..data");
    };
    publish("2026_01_01");
    fs::create_symlink("..data/sidecar.yaml", w.file);
    const file_watch watch(
        w.io, w.file, [&] { ++w.changes; }, by_events);
    int n = 0;
    for (const char* version : {"2026_01_02", "2026_01_03", "2026_01_04"}) {
        publish(version);
        REQUIRE(w.until_changes(++n));
    }
    w.settle();
    CHECK(w.changes == 3);
}

TEST_CASE("without events it is found by looking: through a link to elsewhere, in a directory made anew") {
    watched w;
    const temporary_directory elsewhere;
    write_file(elsewhere.path / "real.yaml", "a");
    fs::create_symlink(elsewhere.path / "real.yaml", w.file);
    const file_watch watch(
        w.io, w.file, [&] { ++w.changes; }, by_looking);
    write_file(elsewhere.path / "real.yaml", "ab");
    REQUIRE(w.until_changes(1));
    fs::remove_all(w.path);
    w.settle();
    fs::create_directory(w.path);
    write_file(w.file, "abc");
    REQUIRE(w.until_changes(2));
}

TEST_CASE("a file that is not there yet is a change when it comes") {
    watched w;
    const file_watch watch(
        w.io, w.file, [&] { ++w.changes; }, by_events);
    write_file(w.file, "a");
    CHECK(w.until_changes(1));
}

TEST_CASE("after its end it calls nobody") {
    watched w;
    write_file(w.file, "a");
    {
        const file_watch watch(
            w.io, w.file, [&] { ++w.changes; }, by_events);
        w.settle();
    }
    write_file(w.file, "ab");
    w.settle();
    CHECK(w.changes == 0);
}

} // namespace file_watch_test
