#include "sidecar/server.hpp"

#include "proxy/config/config_values.hpp"
#include "proxy/control_plane/admin.hpp"
#include "proxy/control_plane/backend_addresses.hpp"
#include "proxy/control_plane/cpu_quota.hpp"
#include "proxy/control_plane/crew.hpp"
#include "proxy/control_plane/drain.hpp"
#include "proxy/control_plane/file_watch.hpp"
#include "proxy/control_plane/listeners.hpp"
#include "proxy/control_plane/observer.hpp"
#include "proxy/control_plane/service_notify.hpp"
#include "proxy/control_plane/settings.hpp"
#include "proxy/control_plane/standing.hpp"
#include "proxy/control_plane/status_poll.hpp"
#include "sidecar/version.hpp"

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>

#include <signal.h>

#include <atomic>
#include <exception>
#include <future>
#include <optional>
#include <string>
#include <utility>

namespace sidecar {

namespace asio = boost::asio;
using boost::system::error_code;
using steady = std::chrono::steady_clock;

class server::running {
public:
    running(const config& first, sidecar::log& log, reload_source source)
        : values_(first),
          log_(log),
          source_(std::move(source)),
          board_([this] { post_lesson(); }, [this] { crew_->take_readiness(); }),
          workers_(values_.workers != 0 ? values_.workers : usable_cpus()),
          descriptors_(raise_descriptor_limit()),
          addresses_(
              io_, [this] { publish_settings(); }, [this](const std::string& host) { tell_unresolved(host); },
              backend_addresses::periods{}),
          poll_(io_, board_, log_, metrics_),
          listeners_(values_.listen, workers_) {
        settle_first();
        if (values_.admin.address) {
            admin_source about{[this] { return why_not_ready(); }, [this] { return look(); }};
            about.not_alive = [this] { return why_not_alive(); };
            about.hosts = [this] { return &values_.admin.hosts; };
            about.drain = [this] { drain_.begin(values_.drain); };
            admin_.emplace(io_, *values_.admin.address, about, log_, admin::limits{});
        }
        crew_.emplace(io_, shared_, listeners_, workers_, [this](const std::exception_ptr& thrown) { end(thrown); });
        rows_.name(values_.rules.rules, crew_->metrics());
        metrics_.reload_last_ok.set(1);
        note_reload_time();
    }

    ~running() {
        stop();
        if (was_started_) when_ended_.wait();
    }

    void run() {
        was_started_ = true;
        poll_.start(values_.status, shared_.current_settings.get()->rules.needs());
        crew_->start();
        serving_ = true;
        log_.line(log_level::info, "serving",
                  {{"version", version()},
                   {"revision", revision()},
                   {"address", print_endpoint(values_.listen.address)},
                   {"port", std::int64_t{port()}},
                   {"admin_port", std::int64_t{admin_port()}},
                   {"workers", std::int64_t{workers_}},
                   {"upstream", print_endpoint(values_.upstream.address)}});
        check_descriptors();
        tell(notify_.ready(serving_text()));
        observer_.note(event_kind::good,
                       "serving, version " + std::string(version()) + " (" + std::string(revision()) + ")");
        observer_.start();
        run_control_plane();
        crew_->join();
        log_.line(log_level::info, "stopped");
        // From here on only what is its own: whoever waits for the end may destroy the rest.
        auto ended = std::move(ended_);
        const auto thrown = thrown_;
        ended.set_value();
        if (thrown) std::rethrow_exception(thrown);
    }

    // Without memory for what it does, it goes on with what comes next: clients are served all the while.
    void run_control_plane() {
        while (!io_.stopped()) {
            try {
                io_.run();
            } catch (const std::bad_alloc&) {
                continue;
            }
        }
    }

    void handle_signals() {
        ::signal(SIGPIPE, SIG_IGN); // of libraries that write to a socket
        ::signal(SIGUSR1, SIG_IGN); // other proxies reopen logs or upgrade by them; they are not meant to kill
        ::signal(SIGUSR2, SIG_IGN);
        signals_.emplace(io_, SIGTERM, SIGINT, SIGHUP);
        await_signal();
    }

    void watch(const std::filesystem::path& file) {
        watch_.emplace(
            io_, file, [this] { reload(); }, file_watch::periods{});
    }

    void notify_service(std::string socket) { notify_ = service_notify(std::move(socket)); }

    void drain() {
        asio::post(io_, [this] { drain_.begin(values_.drain); });
    }
    void stop() {
        asio::post(io_, [this] { stop_now(); });
    }
    void request_reload() {
        asio::post(io_, [this] { reload(); });
    }

    std::uint16_t port() const noexcept { return listeners_.port(); }
    std::uint16_t admin_port() const noexcept { return admin_ ? admin_->port() : std::uint16_t{0}; }

private:
    // Before anything is served: what the names resolve to, if that does not take too long.
    void settle_first() {
        bool settled = false;
        addresses_.follow(values_, [&settled] { settled = true; });
        while (!settled) io_.run_one();
        publish_settings();
    }

    // The board first: readiness by the old rules means nothing to the new ones.
    void publish_settings() {
        auto next = make_settings(values_, {workers_, descriptors_, addresses_.upstream(), addresses_.status()});
        board_.configure(next->rules.needs(), values_.status.max_age, values_.status.unlisted_means);
        shared_.current_settings.publish(std::move(next));
    }

    void reload() {
        if (!source_ || drain_.begun()) return;
        tell(notify_.reloading(since_boot()));
        auto loaded = source_();
        if (!loaded) {
            metrics_.reloads_failed.add();
            metrics_.reload_last_ok.set(0);
            reload_failure_ = loaded.error().message;
            log_.line(log_level::error, "reload failed: the configuration before it stays in force",
                      {{"reason", reload_failure_}});
            tell(notify_.ready("the configuration before it stays in force: " + reload_failure_));
            observer_.look_now();
            return;
        }
        reload_failure_.clear(); // of the reload before
        values_ = with_what_needs_a_restart(std::move(*loaded));
        addresses_.follow(values_, [this] { finish_reload(); });
    }

    // It takes effect also if the file has become bad while names were waited for; that failure is what is told then.
    void finish_reload() {
        publish_settings();
        rows_.name(values_.rules.rules, crew_->metrics());
        check_descriptors();
        log_.set_least(values_.log.level);
        poll_.start(values_.status, shared_.current_settings.get()->rules.needs());
        metrics_.reloads_ok.add();
        metrics_.reload_last_ok.set(reload_failure_.empty() ? 1 : 0);
        note_reload_time();
        log_.line(log_level::info, "reloaded");
        if (reload_failure_.empty()) tell(notify_.ready(serving_text()));
        observer_.note(event_kind::note, "configuration reloaded", "reload");
    }

    // The new configuration, but for what stays as the process was started with.
    config with_what_needs_a_restart(config next) {
        const auto keep = [this](auto& wanted, const auto& present, std::string_view name) {
            if (wanted == present) return;
            log_.line(log_level::warn, "needs a restart", {{"key", name}});
            wanted = present;
        };
        keep(next.listen, values_.listen, "listen");
        keep(next.workers, values_.workers, "workers");
        keep(next.admin.address, values_.admin.address, "admin.address");
        keep(next.log.buffer_bytes, values_.log.buffer_bytes, "log.buffer");
        return next;
    }

    // Said, not refused: accepting pauses when there are none left, and goes on when there are.
    void check_descriptors() {
        const auto wanted = descriptors_wanted(values_);
        if (wanted > descriptors_)
            log_.line(
                log_level::warn, "max_connections want more descriptors than the process may open",
                {{"wanted", static_cast<std::int64_t>(wanted)}, {"limit", static_cast<std::int64_t>(descriptors_)}});
    }

    void note_reload_time() {
        const auto now = std::chrono::system_clock::now().time_since_epoch();
        metrics_.reload_last_success_unix = std::chrono::duration<double>(now).count();
    }

    void await_signal() {
        signals_->async_wait([this](error_code ec, int number) {
            if (ec) return;
            await_signal(); // first: what is done may throw where memory is missing
            if (number == SIGHUP)
                reload();
            else if (std::exchange(told_to_end_, true))
                stop_now();
            else
                drain_.begin(values_.drain); // or goes on with one that `sidecar drain` began
        });
    }

    // Any worker's thread, thousands of times a second perhaps: one message to the control thread at a time.
    void post_lesson() {
        if (lesson_posted_.exchange(true)) return;
        asio::post(io_, [this] {
            lesson_posted_ = false;
            poll_.learned();
        });
    }

    void announce_drain() {
        observer_.note(event_kind::note, "draining", "drain");
        log_.line(log_level::info, "draining", {{"connections", connections_open()}});
        crew_->announce_drain();
        tell(notify_.stopping("draining"));
    }

    void give_up_draining() {
        log_.line(log_level::warn, "drain timeout: stopping with connections open",
                  {{"connections", connections_open()}});
        crew_->stop();
    }

    void stop_now() {
        log_.line(log_level::info, "stopping at once", {{"connections", connections_open()}});
        crew_->stop();
    }

    // The last worker is done.
    void end(const std::exception_ptr& thrown) {
        thrown_ = thrown;
        drain_.end();
        observer_.stop();
        io_.stop();
    }

    std::string serving_text() const {
        return "serving on port " + std::to_string(port()) + ", admin on port " + std::to_string(admin_port());
    }

    // Who started this waits for it in vain, and will say so itself.
    void tell(std::error_code failed) {
        if (failed) log_.line(log_level::warn, "service manager not told", {{"reason", failed.message()}});
    }

    std::int64_t connections_open() const { return static_cast<std::int64_t>(crew_->connections_open()); }

    void tell_unresolved(const std::string& host) {
        log_.line(log_level::warn, "upstream.address does not resolve", {{"host", host}});
    }

    std::string why_not_alive() const {
        if (!serving_) return {};
        const auto stuck = crew_->stuck(steady::now(), worker_hangs_after);
        if (!stuck) return {};
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(stuck->still_for).count();
        return "worker " + std::to_string(stuck->index) + " has not turned for " + std::to_string(seconds) + " s";
    }

    std::string why_not_ready() const {
        if (!serving_) return "the listener is not open yet";
        if (drain_.begun()) return "draining";
        if (!poll_.report().tried) return "the first status poll has not been tried yet";
        return {};
    }

    standing look() const {
        auto now = look_at_counters();
        now.process = read_process_figures();
        return now;
    }

    standing look_at_counters() const {
        standing now;
        now.now = steady::now();
        now.started = started_;
        now.not_ready = why_not_ready();
        now.draining = drain_.begun();
        now.workers = crew_->metrics();
        now.rows = &rows_;
        now.control = &metrics_;
        now.current = shared_.current_settings.get();
        now.known = board_.published().get();
        now.poll = poll_.report();
        now.reload_failure = reload_failure_;
        now.log_lines_dropped = log_.dropped();
        if (const auto stuck = crew_->stuck(now.now, worker_stalls_after)) now.stuck_for = stuck->still_for;
        now.seen = &observer_.seen();
        now.pod = pod_.name;
        now.pod_namespace = pod_.space;
        return now;
    }

    config values_; // in force
    sidecar::log& log_;
    const reload_source source_;
    const time_point started_ = steady::now();
    asio::io_context io_{1};
    asio::executor_work_guard<asio::io_context::executor_type> work_{io_.get_executor()};
    control_metrics metrics_;
    rule_rows rows_;
    std::atomic<bool> lesson_posted_{false};
    readiness_board board_;
    shared shared_{{}, board_, log_};
    const unsigned workers_;
    const std::size_t descriptors_;
    backend_addresses addresses_;
    status_poll poll_;
    listeners listeners_;
    drain_sequence drain_{
        io_, {[this] { announce_drain(); }, [this] { crew_->end_accepting(); }, [this] { give_up_draining(); }}};
    service_notify notify_;
    observer observer_{io_, log_, [this] { return look_at_counters(); }};
    const pod_names pod_ = read_pod_names();
    std::optional<asio::signal_set> signals_;
    std::optional<file_watch> watch_;
    std::optional<admin> admin_;
    std::string reload_failure_;
    std::exception_ptr thrown_;
    bool serving_ = false;
    bool told_to_end_ = false; // by a signal
    std::atomic<bool> was_started_{false};
    std::promise<void> ended_;
    std::future<void> when_ended_ = ended_.get_future();
    std::optional<crew> crew_; // last: ends first
};

server::server(const config& first, log& log, reload_source source)
    : running_(std::make_unique<running>(first, log, std::move(source))) {}

server::~server() = default;

std::uint16_t server::port() const noexcept { return running_->port(); }
std::uint16_t server::admin_port() const noexcept { return running_->admin_port(); }
void server::handle_signals() { running_->handle_signals(); }
void server::notify_service(std::string socket) { running_->notify_service(std::move(socket)); }
void server::watch(const std::filesystem::path& config_file) { running_->watch(config_file); }
void server::run() { running_->run(); }
void server::drain() { running_->drain(); }
void server::stop() { running_->stop(); }
void server::request_reload() { running_->request_reload(); }

} // namespace sidecar
