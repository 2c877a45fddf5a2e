// What the admin listener answers to which path; without a socket, so that it can be tested as a function.
#pragma once

#include "proxy/control_plane/standing.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace sidecar {

// Asked on the control thread, and only for what the path needs: a probe should cost nothing.
struct admin_source {
    std::function<std::string()> not_ready; // why; empty: ready
    std::function<standing()> look;
    std::function<std::string()> not_alive{};                 // why a restart would help; empty: alive
    std::function<const std::vector<std::string>*()> hosts{}; // names that it answers to; none: addresses alone
    std::function<void()> drain{};
};

struct admin_answer {
    int status = 200;
    std::string content_type = "text/plain; charset=utf-8";
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
};

// Reading only: methods other than GET and HEAD get 405. HEAD's answer is GET's; its body is not to be sent.
admin_answer answer_admin(std::string_view method, std::string_view target, const admin_source&);

} // namespace sidecar
