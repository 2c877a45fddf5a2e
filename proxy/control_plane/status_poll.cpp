#include "proxy/control_plane/status_poll.hpp"

#include "proxy/control_plane/awaiting.hpp"

#include "proxy/control_plane/http_client.hpp"
#include "proxy/control_plane/large_pages.hpp"
#include "proxy/control_plane/poll_schedule.hpp"
#include "proxy/control_plane/status_request.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <exception>
#include <random>
#include <utility>

namespace sidecar {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using steady = std::chrono::steady_clock;

// What one start() asked for. A poll keeps the one it was sent under; another one has taken its place: it is void.
struct plan {
    status_config values;
    schema needs;
};

// Parsed and counted on the parser's thread.
struct parsed {
    result<std::shared_ptr<const status_document>> document;
    std::vector<poll_report::collection> counts;
};

poll_report::collection count(const schema::collection& named, const resource_table& table) {
    poll_report::collection counted{named.name, table.size(), {}, table.memory_bytes()};
    for (std::size_t member = 0; member < named.members.size(); ++member)
        counted.not_ready.emplace_back(named.members[member], table.not_ready_count(member));
    return counted;
}

std::string_view word(poll_end end) {
    switch (end) {
    case poll_end::changed:
        return "changed";
    case poll_end::not_modified:
        return "not_modified";
    case poll_end::failed:
        return "failed";
    case poll_end::cancelled:
        break;
    }
    return "cancelled";
}

asio::awaitable<parsed> parse(status_reader& reader, std::string body, std::shared_ptr<const plan> by,
                              std::shared_ptr<const readiness> before) {
    parsed outcome{failure{}, {}};
    auto document = reader.read(body, by->needs);
    if (!document) {
        outcome.document = document.error();
        co_return outcome;
    }
    document->note_first_seen(*before, steady::now());
    for (std::size_t i = 0; i < by->needs.collections.size() && i < document->collections.size(); ++i)
        outcome.counts.push_back(count(by->needs.collections[i], document->collections[i]));
    outcome.document = std::make_shared<const status_document>(std::move(*document));
    co_return outcome;
}

http_failure failure_of(poll_failure kind, std::string message) { return {kind, std::move(message), false}; }

// Two messages that differ in their figures alone are the same reason, and logged once.
// (The status, a figure too, is another reason.)
std::string without_figures(std::string message) {
    if (message.starts_with("answer ")) return message;
    std::erase_if(message, [](char c) { return c >= '0' && c <= '9'; });
    return message;
}

} // namespace

class status_poll::running : public std::enable_shared_from_this<running> {
public:
    running(asio::io_context& io, readiness_board& board, sidecar::log& log, control_metrics& metrics,
            std::chrono::nanoseconds starting_time)
        : io_(io),
          board_(board),
          log_(log),
          metrics_(metrics),
          wake_(io),
          overtake_(io),
          starting_time_(starting_time) {}

    void start(const status_config& values, const schema& needs) {
        if (client_) client_->cancel();
        plan_ = std::make_shared<const plan>(plan{values, needs});
        etag_.clear();
        schedule_.emplace(values);
        logged_reason_.clear();
        auto url = parse_http_url(values.url); // checked with the configuration
        if (!url) {
            log_.line(log_level::error, "status.url", {{"reason", url.error().message}});
            return stop();
        }
        where_ = url->host_field + url->path; // a query may hold a secret
        client_ = std::make_shared<http_client>(io_, *url, values.socket, values.ca_file, values.document_bytes_max);
        wake_.cancel();
        if (running_loop_) return;
        running_loop_ = true;
        asio::co_spawn(io_, loop(shared_from_this()),
                       [self = shared_from_this()](const std::exception_ptr& thrown) { self->ended(thrown); });
    }

    void stop() {
        plan_.reset();
        if (client_) client_->cancel();
        client_.reset();
        wake_.cancel();
        overtake_.cancel();
    }

    // Before the io_context goes: a document being parsed would come back to it.
    void close() {
        stop();
        parser_.join();
    }

    void learned() {
        if (!plan_) return;
        schedule_->learned(steady::now());
        wake_.cancel();
        overtake_held();
    }

    const poll_report& report() const noexcept { return report_; }

private:
    static asio::awaitable<void> loop(std::shared_ptr<running> self) {
        while (self->plan_) {
            const auto by = self->plan_;
            try {
                co_await self->poll(by, self->client_);
            } catch (const std::bad_alloc&) {
                self->fail(by, failure_of(poll_failure::too_large, "no memory for the document"));
            }
            co_await self->pause();
        }
    }

    // A poll must not end the sidecar, whatever is thrown in it (memory, most likely).
    void ended(const std::exception_ptr& thrown) {
        running_loop_ = false;
        if (!thrown) return;
        try {
            std::rethrow_exception(thrown);
        } catch (const std::exception& e) {
            log_.line(log_level::error, "status poll ended", {{"reason", e.what()}});
        }
    }

    asio::awaitable<void> poll(std::shared_ptr<const plan> by, std::shared_ptr<http_client> client) {
        const auto sent_at = steady::now();
        const auto hold = schedule_->hold(!etag_.empty());
        schedule_->sent(sent_at, hold.count() > 0);
        report_.under_way = true;
        report_.held = hold.count() > 0;

        auto fields = status_request_fields(by->values, etag_, hold);
        if (!fields) co_return fail(by, failure_of(poll_failure::secret, fields.error().message));
        const auto connect_by = sent_at + by->values.timeout;
        auto answer = co_await client->get(std::move(*fields), connect_by, connect_by + hold);
        const auto answered_at = steady::now();
        if (by != plan_) co_return;
        report_.last_took = answered_at - sent_at;
        if (hold.count() == 0) metrics_.poll_duration.observe(answered_at - sent_at);
        if (!answer) co_return fail(by, answer.error());
        const bool applied = says_wait_applied(answer->preference_applied);
        if (answer->status == 304 && !etag_.empty()) co_return renew(sent_at, answered_at, applied);
        if (auto refused = why_not_a_document(*answer)) co_return fail(by, std::move(*refused));

        auto content = co_await parse_away(std::move(answer->body), by);
        if (by != plan_) co_return;
        if (!content.document)
            co_return fail(by, failure_of(poll_failure::bad_document, content.document.error().message));
        etag_ = std::move(answer->etag);
        take(std::move(content), sent_at, answered_at, applied);
    }

    asio::awaitable<parsed> parse_away(std::string body, std::shared_ptr<const plan> by) {
        board_.free_replaced();
        auto work = parse(reader_, std::move(body), std::move(by), board_.published().get());
        co_return co_await asio::co_spawn(parser_, std::move(work), asio::use_awaitable);
    }

    asio::awaitable<void> pause() {
        const auto by = plan_;
        while (plan_ && plan_ == by && steady::now() < schedule_->due()) {
            wake_.expires_at(schedule_->due());
            co_await wake_.async_wait(as_tuple);
        }
    }

    // A held poll was sent before the lesson: its answer would not end it.
    void overtake_held() {
        const auto at = schedule_->cancel_held_at();
        if (!at) return;
        overtake_.expires_at(*at);
        overtake_.async_wait([self = shared_from_this()](error_code ec) {
            if (ec || !self->plan_) return;
            if (const auto still = self->schedule_->cancel_held_at(); still && *still <= steady::now())
                self->client_->cancel();
        });
    }

    void renew(time_point sent_at, time_point answered_at, bool applied) {
        board_.publish(nullptr, sent_at, answered_at);
        metrics_.polls_not_modified.add();
        succeeded(poll_end::not_modified, answered_at, applied);
    }

    void take(parsed content, time_point sent_at, time_point answered_at, bool applied) {
        report_.document_bytes = (*content.document)->bytes;
        report_.collections = std::move(content.counts);
        board_.publish(std::move(*content.document), sent_at, answered_at);
        metrics_.polls_ok.add();
        succeeded(poll_end::changed, answered_at, applied);
    }

    void succeeded(poll_end end, time_point answered_at, bool applied) {
        if (report_.failures > 0)
            log_.line(log_level::info, "status poll succeeds again", {{"failures", std::int64_t{report_.failures}}});
        else if (!report_.last_good_at)
            log_.line(log_level::info, "status poll succeeds", {{"url", where_}});
        report_.failed.reset();
        report_.failure.clear();
        report_.last_good_at = answered_at;
        logged_stale_ = false;
        logged_reason_.clear();
        settle(end, applied);
    }

    void fail(const std::shared_ptr<const plan>& by, http_failure why) {
        if (by != plan_) return;
        if (why.cancelled) return settle(poll_end::cancelled, false);
        metrics_.polls_failed.add();
        metrics_.polls_failed_by[static_cast<std::size_t>(why.kind)].add();
        const auto level = may_be_starting(why.kind) ? log_level::info : log_level::error;
        const auto reason = std::to_string(static_cast<int>(level)) + std::string(to_string(why.kind)) + " " +
                            without_figures(why.message);
        if (reason != logged_reason_) {
            log_.line(level, "status poll failed",
                      {{"kind", to_string(why.kind)}, {"reason", why.message}, {"url", where_}});
            logged_reason_ = reason;
        }
        if (report_.last_good_at && !board_.published().get()->fresh(steady::now()) &&
            !std::exchange(logged_stale_, true))
            log_.line(log_level::warn, "readiness is unknown: no good poll within status.max_age");
        report_.failed = why.kind;
        report_.failure = std::move(why.message);
        settle(poll_end::failed, false);
    }

    // Whoever is polled starts together with the sidecar, or, where that is a native one, only after it.
    bool may_be_starting(poll_failure kind) const {
        const bool is_away =
            kind == poll_failure::connect || kind == poll_failure::closed || kind == poll_failure::name;
        return is_away && !report_.last_good_at && steady::now() - made_at_ < starting_time_;
    }

    void settle(poll_end end, bool applied) {
        explain(end);
        schedule_->ended(end, steady::now(), applied, chance_(random_));
        report_.under_way = false;
        report_.held = false;
        report_.failures = schedule_->failures();
        report_.backend_holds = schedule_->backend_holds();
        report_.tried = report_.tried || end != poll_end::cancelled;
    }

    void explain(poll_end end) {
        if (log_.least() != log_level::debug) return;
        const auto took = std::chrono::duration<double>(report_.last_took).count();
        if (end == poll_end::failed)
            log_.line(log_level::debug, "status poll",
                      {{"outcome", word(end)}, {"took", took}, {"reason", report_.failure}, {"url", where_}});
        else
            log_.line(log_level::debug, "status poll",
                      {{"outcome", word(end)},
                       {"took", took},
                       {"held", report_.held},
                       {"document_bytes", static_cast<std::int64_t>(report_.document_bytes)}});
    }

    asio::io_context& io_;
    readiness_board& board_;
    sidecar::log& log_;
    control_metrics& metrics_;
    status_reader reader_{large_pages()}; // the parser's
    asio::thread_pool parser_{1};
    asio::steady_timer wake_;          // ends a pause
    asio::steady_timer overtake_;      // ends a held poll
    std::shared_ptr<const plan> plan_; // null: stopped
    std::shared_ptr<http_client> client_;
    std::optional<poll_schedule> schedule_;
    std::string etag_;  // of the document that is published
    std::string where_; // for the log
    std::string logged_reason_;
    bool logged_stale_ = false;
    poll_report report_;
    const time_point made_at_ = steady::now();
    const std::chrono::nanoseconds starting_time_;
    bool running_loop_ = false;
    std::minstd_rand random_{std::random_device{}()};
    std::uniform_real_distribution<double> chance_{0.0, 1.0};
};

status_poll::status_poll(asio::io_context& io, readiness_board& board, sidecar::log& log, control_metrics& metrics,
                         std::chrono::nanoseconds starting_time)
    : running_(std::make_shared<running>(io, board, log, metrics, starting_time)) {}

status_poll::~status_poll() { running_->close(); }

void status_poll::start(const status_config& values, const schema& needs) { running_->start(values, needs); }
void status_poll::stop() { running_->stop(); }
void status_poll::learned() { running_->learned(); }
const poll_report& status_poll::report() const noexcept { return running_->report(); }

} // namespace sidecar
