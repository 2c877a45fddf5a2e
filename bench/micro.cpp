// What a request costs in the code of our own, without a network: reading heads, deciding, inserting, looking up.
// A regression shows here first, and in instructions too: `valgrind --tool=callgrind`.
#include "proxy/control_plane/large_pages.hpp"
#include "proxy/data_plane/body_framing.hpp"
#include "proxy/data_plane/edit_head.hpp"
#include "proxy/data_plane/message_head.hpp"
#include "sidecar/augment.hpp"
#include "sidecar/readiness.hpp"
#include "sidecar/rules.hpp"

#include <benchmark/benchmark.h>
#include <boost/beast/http/basic_parser.hpp>

#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using namespace sidecar;

constexpr head_limits limits{128 * kib, 256, 32 * kib};

std::string request_text(std::string_view method, std::string_view target) {
    return std::string(method) + " " + std::string(target) +
           " HTTP/1.1\r\nHost: api.example.org\r\nUser-Agent: DukeDSClient/3.4.0\r\nAccept-Encoding: gzip, deflate\r\n"
           "Accept: application/json\r\nConnection: keep-alive\r\nContent-Type: application/json\r\nAuthorization: " +
           std::string(220, 'e') + "\r\n\r\n";
}

const std::string response_text = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                  "ETag: W/\"6b1d0f0ac3d7f1be0f0a1b2c3d4e5f60\"\r\n"
                                  "Cache-Control: max-age=0, private, must-revalidate\r\n"
                                  "X-Request-Id: 7f6c0a52-6a5e-4c11-9a52-3d0f8f0c2b11\r\nX-Runtime: 0.012345\r\n"
                                  "Vary: Origin\r\nTransfer-Encoding: chunked\r\n\r\n";

constexpr std::string_view project = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";

void read_a_request_head(benchmark::State& state) {
    const auto text = request_text("GET", "/api/v1/projects/" + std::string(project));
    request_head head;
    for ([[maybe_unused]] auto _ : state) {
        std::size_t from = 0;
        head.clear();
        if (read_request_head(text, from, limits, head) != head_status::complete) state.SkipWithError("not read");
        benchmark::DoNotOptimize(head);
    }
}
BENCHMARK(read_a_request_head);

void read_a_response_head(benchmark::State& state) {
    response_head head;
    for ([[maybe_unused]] auto _ : state) {
        std::size_t from = 0;
        head.clear();
        if (read_response_head(response_text, from, limits, false, head) != head_status::complete)
            state.SkipWithError("not read");
        benchmark::DoNotOptimize(head);
    }
}
BENCHMARK(read_a_response_head);

// What the head reader of our own is measured by. It does less: nothing is made of the fields, and it checks neither
// target, Host nor framing as a proxy must.
template <bool is_request>
class beast_reader : public boost::beast::http::basic_parser<is_request> {
public:
    std::vector<std::pair<std::string_view, std::string_view>> fields;

private:
    using error_code = boost::beast::error_code;
    using view = boost::beast::string_view;

    void on_request_impl(boost::beast::http::verb, view, view, int, error_code&) override {}
    void on_response_impl(int, view, int, error_code&) override {}
    void on_field_impl(boost::beast::http::field, view name, view value, error_code&) override {
        fields.emplace_back(std::string_view(name.data(), name.size()), std::string_view(value.data(), value.size()));
    }
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(view body, error_code&) override { return body.size(); }
    void on_chunk_header_impl(std::uint64_t, view, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, view body, error_code&) override { return body.size(); }
    void on_finish_impl(error_code&) override {}
};

template <bool is_request>
void read_with_beast(benchmark::State& state) {
    const auto text = is_request ? request_text("GET", "/api/v1/projects/" + std::string(project)) : response_text;
    for ([[maybe_unused]] auto _ : state) {
        beast_reader<is_request> reader;
        reader.fields.reserve(32);
        boost::beast::error_code error;
        reader.put(boost::asio::const_buffer(text.data(), text.size()), error);
        if (!reader.is_header_done()) state.SkipWithError("not read");
        benchmark::DoNotOptimize(reader.fields);
    }
}
BENCHMARK(read_with_beast<true>)->Name("read_a_request_head_with_beast");
BENCHMARK(read_with_beast<false>)->Name("read_a_response_head_with_beast");

void write_a_request_head_on(benchmark::State& state) {
    const auto text = request_text("GET", "/api/v1/projects/" + std::string(project));
    request_head head;
    std::size_t from = 0;
    if (read_request_head(text, from, limits, head) != head_status::complete) state.SkipWithError("not read");
    buffer_pool pool;
    buffer out(pool);
    for ([[maybe_unused]] auto _ : state) {
        write_request_head(head, {}, out);
        benchmark::DoNotOptimize(out.data().data());
        out.clear();
    }
}
BENCHMARK(write_a_request_head_on);

// A 64 KiB body in chunks of so many bytes, relayed as it is.
void read_chunks(benchmark::State& state) {
    const auto size = static_cast<std::size_t>(state.range(0));
    char line[20];
    std::snprintf(line, sizeof line, "%zx\r\n", size);
    std::string body;
    for (std::size_t at = 0; at < 64 * kib; at += size) body += line + std::string(size, 'x') + "\r\n";
    body += "0\r\n\r\n";
    for ([[maybe_unused]] auto _ : state) {
        body_reader reader({body_framing::kind::chunked, 0}, {1 * kib, 8 * kib});
        benchmark::DoNotOptimize(reader.take(body).out.size());
        if (!reader.done()) state.SkipWithError("not read");
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(read_chunks)->Arg(16)->Arg(1 << 10)->Arg(32 << 10);

std::vector<resource_table::entry> entries(std::size_t count) {
    std::mt19937_64 random(1);
    std::vector<resource_table::entry> made(count);
    for (auto& entry : made) {
        entry.id = {random(), random()};
        entry.members.set(0, state::not_ready);
        entry.members.set(1, state::not_ready);
    }
    return made;
}

readiness readiness_of(std::vector<resource_table::entry> listed, time_point now) {
    listed.push_back({*parse_uuid(project), {}});
    listed.back().members.set(0, state::not_ready);
    auto document = std::make_shared<status_document>();
    document->collections.emplace_back(listed);
    document->collections.emplace_back();
    readiness cache;
    cache.document = document;
    cache.asked_at = cache.answered_at = now;
    return cache;
}

void decide_on(benchmark::State& state, std::string_view method, std::string_view target) {
    const rule_table rules(rules_config{});
    const auto now = time_point::clock::now();
    const auto cache = readiness_of(entries(1'000), now);
    const auto text = request_text(method, target);
    request_head head;
    std::size_t from = 0;
    if (read_request_head(text, from, limits, head) != head_status::complete) state.SkipWithError("not read");
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(rules.decide(head.view(), cache, now));
}

void decide_forward(benchmark::State& state) { decide_on(state, "GET", "/api/v1/projects/" + std::string(project)); }
BENCHMARK(decide_forward);

void decide_augment(benchmark::State& state) {
    decide_on(state, "GET", "/api/v1/projects/" + std::string(project) + "?info");
}
BENCHMARK(decide_augment);

void decide_gate(benchmark::State& state) {
    decide_on(state, "POST", "/api/v1/projects/" + std::string(project) + "/uploads");
}
BENCHMARK(decide_gate);

// The argument: bytes of the body.
void plan_an_insertion(benchmark::State& state) {
    std::string body = R"({"kind":"dds-project","id":"ca29f7df-33ca-46dd-a015-92c46fdb6fd1","tags":[)";
    while (body.size() + 64 < static_cast<std::size_t>(state.range(0)))
        body += R"({"label":"a \u0026 b","on":true,"n":-12.5e3},)";
    body += R"({}],"is_deleted":false})";
    body.reserve(body.size() + json_padding);
    constexpr std::string_view consistency = R"({"is_upload_ready":true,"is_download_ready":true})";
    for ([[maybe_unused]] auto _ : state) {
        auto planned = plan_insertion(body, consistency);
        if (!planned) state.SkipWithError("not augmented");
        benchmark::DoNotOptimize(planned);
    }
    state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * body.size()));
}
BENCHMARK(plan_an_insertion)->Arg(512)->Arg(8 << 10)->Arg(1 << 20);

// The argument: entries. Ids that are listed, in no order, so that a large table misses the caches as it would.
void look_up(benchmark::State& state) {
    const auto listed = entries(static_cast<std::size_t>(state.range(0)));
    const resource_table table(listed, large_pages());
    const auto* const ids = listed.data(); // not to measure this loop's checks
    const auto count = listed.size();
    std::size_t at = 0;
    for ([[maybe_unused]] auto _ : state) {
        benchmark::DoNotOptimize(table.find(ids[at].id));
        at = (at + 7919) % count;
    }
    state.counters["bytes/entry"] = static_cast<double>(table.memory_bytes()) / static_cast<double>(table.size());
}
BENCHMARK(look_up)->Arg(100)->Arg(10'000)->Arg(1'000'000);

void read_a_status_document(benchmark::State& state) {
    const schema wanted{{{"projects", {"is_upload_ready", "is_download_ready"}}}};
    std::string body = R"({"projects":[)";
    for (const auto& entry : entries(static_cast<std::size_t>(state.range(0)))) {
        if (body.back() == '}') body += ',';
        body += R"({"id":")" + to_string(entry.id) + R"(","is_upload_ready":false,"is_download_ready":true})";
    }
    body += "]}";
    body.reserve(body.size() + json_padding);
    status_reader reader(large_pages());
    for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(reader.read(body, wanted));
    state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(read_a_status_document)->Arg(100)->Arg(100'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
