#include "tests/harness/answering_backend.hpp"

#include "tests/harness/http_text.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <stdexcept>

namespace harness {

struct answering_backend::client {
    wire link;
    std::string received;
    bool ended = false;
};

answering_backend::answering_backend(answerer answer) : answer_(std::move(answer)) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    stop_read_ = ends[0];
    stop_write_ = ends[1];
    thread_ = std::thread([this] { serve(); });
}

answering_backend::answering_backend(std::string answer)
    : answering_backend([text = std::move(answer)](std::string_view) { return text; }) {}

answering_backend::~answering_backend() {
    ::close(stop_write_);
    thread_.join();
    ::close(stop_read_);
}

std::vector<std::string> answering_backend::requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
}

void answering_backend::serve() {
    std::vector<client> clients;
    while (true) {
        std::vector<pollfd> watched{{stop_read_, POLLIN, 0}, {listener_.descriptor(), POLLIN, 0}};
        for (const auto& each : clients) watched.push_back({each.link.descriptor(), POLLIN, 0});
        if (::poll(watched.data(), watched.size(), -1) < 0) continue;
        if (watched[0].revents) return;
        for (std::size_t i = 0; i < clients.size(); ++i)
            if (watched[i + 2].revents) clients[i].ended = !advance(clients[i]);
        std::erase_if(clients, [](const client& each) { return each.ended; });
        if (watched[1].revents) {
            ++connections_;
            clients.push_back({listener_.accept(), {}, false});
        }
    }
}

bool answering_backend::advance(client& from) {
    std::array<char, 65536> block;
    const auto n = ::recv(from.link.descriptor(), block.data(), block.size(), MSG_DONTWAIT);
    if (n <= 0) return n < 0 && (errno == EAGAIN || errno == EINTR);
    from.received.append(block.data(), static_cast<std::size_t>(n));
    while (const auto size = request_size(from.received)) {
        const auto request = from.received.substr(0, *size);
        from.received.erase(0, *size);
        {
            const std::lock_guard lock(mutex_);
            requests_.push_back(request);
        }
        const auto answer = answer_(request);
        if (answer.empty() || !from.link.try_send(answer)) return false;
        if (lower(field_of(answer, "Connection").value_or("")) == "close") return false;
    }
    return true;
}

std::string answer_with(std::string_view body, std::string_view status, std::string_view more_lines) {
    std::string out = "HTTP/1.1 ";
    out.append(status).append("\r\n").append(more_lines);
    return out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n\r\n").append(body);
}

} // namespace harness
