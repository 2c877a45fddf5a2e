#include "tests/harness/sidecar_under_test.hpp"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string_view>

namespace harness {

namespace {

using namespace std::chrono_literals;

config make_config(std::uint16_t backend, std::uint16_t no_status, const sidecar_under_test::edit& edited) {
    config made;
    made.listen.address = {"127.0.0.1", 0};
    made.workers = 1;
    made.upstream.address = {"127.0.0.1", backend};
    made.upstream.connect_retry = 500ms;
    made.status.url = "http://127.0.0.1:" + std::to_string(no_status) + "/internal/consistency";
    made.status.interval = 10ms;
    made.status.jitter = 0;
    made.status.timeout = 2 * patience; // tests hold polls back
    made.admin.address.reset();
    made.drain.accept_for = 0ms;
    if (edited) edited(made);
    return made;
}

std::size_t count_in(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++count;
    return count;
}

} // namespace

sidecar_under_test::sidecar_under_test(std::uint16_t backend, const edit& edited)
    : log_descriptor_(::memfd_create("log", MFD_CLOEXEC)) {
    if (log_descriptor_ < 0) throw std::runtime_error("memfd_create");
    next_ = make_config(backend, no_status_.port(), edited);
    log_ = std::make_unique<sidecar::log>(log_descriptor_, next_.log.level);
    server_ = std::make_unique<sidecar::server>(next_, *log_, [this]() -> sidecar::result<config> {
        const std::lock_guard lock(mutex_);
        return next_;
    });
    running_ = std::async(std::launch::async, [this] { server_->run(); });
}

sidecar_under_test::~sidecar_under_test() {
    server_->stop();
    if (running_.valid()) running_.wait();
    server_.reset();
    log_.reset();
    ::close(log_descriptor_);
}

message sidecar_under_test::ask(std::string_view request) const {
    auto client = connect();
    client.send(request);
    return client.receive_message(request.starts_with("HEAD ") ? wire::kind::answer_to_head : wire::kind::answer);
}

void sidecar_under_test::reload(const edit& edited) {
    constexpr std::string_view done = R"("msg":"reloaded")";
    const auto before = count_in(log_lines(), done);
    {
        const std::lock_guard lock(mutex_);
        edited(next_);
    }
    server_->request_reload();
    const auto until = std::chrono::steady_clock::now() + patience;
    while (count_in(log_lines(), done) == before) {
        if (std::chrono::steady_clock::now() > until) throw std::runtime_error("waited in vain for a reload");
        std::this_thread::yield();
    }
}

std::string sidecar_under_test::await_log(std::string_view text) const {
    const auto until = std::chrono::steady_clock::now() + patience;
    while (true) {
        auto lines = log_lines();
        if (lines.find(text) != std::string::npos) return lines;
        if (std::chrono::steady_clock::now() > until)
            throw std::runtime_error(std::string("waited in vain for a log line with ").append(text));
        std::this_thread::yield();
    }
}

void sidecar_under_test::await_end() {
    if (running_.wait_for(patience) != std::future_status::ready)
        throw std::runtime_error("the sidecar goes on running");
    running_.get();
}

bool sidecar_under_test::has_ended() const {
    return !running_.valid() || running_.wait_for(0s) == std::future_status::ready;
}

std::string sidecar_under_test::log_lines() const {
    struct stat about {};
    ::fstat(log_descriptor_, &about); // not lseek: the place in the file is the writer's
    std::string text(static_cast<std::size_t>(about.st_size), '\0');
    const auto n = ::pread(log_descriptor_, text.data(), text.size(), 0);
    text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return text;
}

} // namespace harness
