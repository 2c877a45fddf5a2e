#include "proxy/control_plane/backend_addresses.hpp"

#include "proxy/http/http_url.hpp"

#include <boost/system/error_code.hpp>

#include <algorithm>
#include <utility>

namespace sidecar {

using boost::system::error_code;

namespace {

// DNS servers turn the order from one answer to the next.
bool same_set(const std::vector<socket_address>& a, const std::vector<socket_address>& b) {
    return a.size() == b.size() && std::is_permutation(a.begin(), a.end(), b.begin());
}

} // namespace

// The names of one configuration.
class backend_addresses::following : public std::enable_shared_from_this<following> {
public:
    following(boost::asio::io_context& io, const config& values, std::function<void()> settled,
              std::function<void()> on_change, std::function<void(const std::string&)> on_unresolved, periods every)
        : names_(io),
          again_(io),
          patience_(io),
          settled_(std::move(settled)),
          on_change_(std::move(on_change)),
          on_unresolved_(std::move(on_unresolved)),
          every_(every) {
        wanted_[0] = values.upstream.address;
        if (const auto url = parse_http_url(values.status.url)) wanted_[1] = url->origin;
    }

    void start() {
        patience_.expires_after(every_.patience);
        patience_.async_wait([self = shared_from_this()](error_code ec) {
            if (!ec) self->settle();
        });
        ask();
    }

    // The same name keeps what it had, should the resolver be slow now.
    void inherit(const following& before) {
        for (std::size_t i = 0; i < wanted_.size(); ++i)
            if (wanted_[i] == before.wanted_[i]) found[i] = before.found[i];
        told_unresolved_ = before.told_unresolved_ && wanted_[0] == before.wanted_[0];
    }

    void close() {
        settled_ = nullptr;
        on_change_ = nullptr;
        on_unresolved_ = nullptr;
        again_.cancel();
        patience_.cancel();
    }

    std::array<std::vector<socket_address>, 2> found;

private:
    void ask() {
        unanswered_ = wanted_.size();
        for (std::size_t i = 0; i < wanted_.size(); ++i)
            names_.start(wanted_[i], [self = weak_from_this(), i](std::vector<socket_address> answer) {
                if (const auto still = self.lock()) still->take(i, std::move(answer));
            });
    }

    // A name that has resolved once keeps its addresses while DNS is away.
    void take(std::size_t which, std::vector<socket_address> answer) {
        if (which == 0) tell_unresolved(answer.empty() && found[0].empty());
        if (!answer.empty() && !same_set(answer, found[which])) {
            found[which] = std::move(answer);
            if (!settled_ && on_change_) on_change_();
        }
        if (--unanswered_ > 0) return;
        settle();
        if (on_change_) ask_later();
    }

    void tell_unresolved(bool is_unresolved) {
        if (is_unresolved && !told_unresolved_ && on_unresolved_) on_unresolved_(wanted_[0].host);
        told_unresolved_ = is_unresolved;
    }

    void settle() {
        patience_.cancel();
        if (auto settled = std::exchange(settled_, nullptr)) settled();
    }

    void ask_later() {
        bool is_literal = true;
        for (const auto& each : wanted_) is_literal = is_literal && !literal_address(each).empty();
        if (is_literal) return;
        const bool all_found = !found[0].empty() && !found[1].empty();
        again_.expires_after(all_found ? every_.resolved : every_.unresolved);
        again_.async_wait([self = shared_from_this()](error_code ec) {
            if (!ec) self->ask();
        });
    }

    std::array<endpoint, 2> wanted_; // the backend's, status.url's
    name_lookup names_;
    boost::asio::steady_timer again_;
    boost::asio::steady_timer patience_;
    std::function<void()> settled_;
    std::function<void()> on_change_; // null: closed
    std::function<void(const std::string&)> on_unresolved_;
    bool told_unresolved_ = false;
    periods every_;
    std::size_t unanswered_ = 0;
};

backend_addresses::backend_addresses(boost::asio::io_context& io, std::function<void()> on_change,
                                     std::function<void(const std::string&)> on_unresolved, periods every)
    : io_(io),
      on_change_(std::move(on_change)),
      on_unresolved_(std::move(on_unresolved)),
      every_(every) {}

backend_addresses::~backend_addresses() {
    if (following_) following_->close();
}

void backend_addresses::follow(const config& values, std::function<void()> settled) {
    auto before = std::exchange(following_, nullptr);
    following_ = std::make_shared<following>(io_, values, std::move(settled), on_change_, on_unresolved_, every_);
    if (before) {
        following_->inherit(*before);
        before->close();
    }
    following_->start();
}

const std::vector<socket_address>& backend_addresses::upstream() const noexcept { return following_->found[0]; }
const std::vector<socket_address>& backend_addresses::status() const noexcept { return following_->found[1]; }

} // namespace sidecar
