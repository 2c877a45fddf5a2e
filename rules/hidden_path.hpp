// The path that is not for clients: the status endpoint's (docs/behaviour.md 7). Where a rule asks what the backend's
// router takes for the route, this asks what any router might: in doubt the path is covered, for nothing else lies
// there.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace sidecar {

class hidden_path {
public:
    explicit hidden_path(std::string_view path);

    // Escapes (also of escapes), repeated and trailing slashes, any suffix, any case, parameters behind `;`, dot
    // segments, `%2F` and backslashes as separators and not as separators.
    bool covers(std::string_view path) const;

private:
    bool covers_plain(std::string_view path) const noexcept;
    bool covers(std::string_view path, bool encoded_separates, bool dots_resolved) const; // the ways routers differ in

    std::vector<std::string> words_; // decoded, lower case, without parameters; the last without its suffix
};

} // namespace sidecar
