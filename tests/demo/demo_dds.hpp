// The small DDS behind the demo: projects, uploads and files that become ready after a while, in memory. It knows
// nothing of sockets: a request in, an answer out. Thread-safe.
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace demo {

using clock = std::chrono::steady_clock;

// For README's curl lines: one project of each kind, each with a file; docs/behaviour.md 7's example names the ones
// never ready.
inline constexpr std::string_view ready_project = "2f4d1c53-6f0e-4b6a-9a3f-5c1b7e80d2a1";
inline constexpr std::string_view ready_file = "b8a6c1de-3c57-4f0b-8c11-0e9f4d7a6b52";
inline constexpr std::string_view never_ready_project = "ca29f7df-33ca-46dd-a015-92c46fdb6fd1";
inline constexpr std::string_view never_ready_file = "777be35a-98e0-4c2e-9a17-7bc009f9b111";
inline constexpr std::string_view token = "demo-token";

struct request {
    std::string method;
    std::string path;  // without the query
    std::string query; // as sent
    std::string body;
    std::map<std::string, std::string> fields; // names in lower case

    const std::string* find(const std::string& name) const;
};

struct answer {
    int status = 200;
    std::vector<std::pair<std::string, std::string>> fields;
    std::string body;
};

struct project {
    std::string name, description, created_on;
    clock::time_point ready_at;
};
struct upload {
    std::string project, name, content_type, created_on;
    std::int64_t size = 0;
    bool chunked = true;
    std::optional<std::string> completed_on;
    clock::time_point ready_at = clock::time_point::max(); // consistent from here
};
struct file {
    std::string project, name, created_on;
    std::vector<std::string> uploads; // one for each version; the last counts
};

class dds {
public:
    explicit dds(std::chrono::milliseconds ready_after);

    // Takes as long as `Prefer: wait` on the status endpoint says, else no time.
    answer handle(const request&);

private:
    struct document {
        std::string text;
        clock::time_point changes_at; // by the mere passing of time
    };

    answer route(const request&, const std::vector<std::string>& path);
    answer status(const request&);
    answer create_project(const request&);
    answer list_projects(const request&);
    answer create_upload(const request&, const std::string& project_id);
    answer change_upload(const request&, const std::string& id, const std::string& what);
    answer create_file(const request&);
    answer show_file(const request&, const std::string& id);
    answer show_url(const std::string& id);
    document consistency() const;
    std::string render(const std::string& id, const project&) const;
    std::string render(const std::string& id, const upload&) const;
    std::string render(const std::string& id, const file&) const;

    const std::chrono::milliseconds ready_after_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::map<std::string, project> projects_;
    std::map<std::string, upload> uploads_;
    std::map<std::string, file> files_;
};

} // namespace demo
