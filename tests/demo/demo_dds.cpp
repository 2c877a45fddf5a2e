#include "demo_dds.hpp"

#include <boost/json/src.hpp> // header-only here: the demo needs no library of its own for it

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <random>

namespace demo {

namespace json = boost::json;

namespace {

constexpr std::chrono::seconds wait_max{60};

std::string new_id() {
    static thread_local std::mt19937_64 random{std::random_device{}()};
    const std::uint64_t a = random(), b = random();
    return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32U, a >> 16U & 0xffffU, a & 0xfffU,
                       (b >> 48U & 0x3fffU) | 0x8000U, b & 0xffff'ffff'ffffU);
}

std::string now_text() {
    const auto now = std::chrono::system_clock::now();
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch()).count() % 1000;
    return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03d}Z", fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms);
}

// As Rack::ETag does it: weak, of the body.
std::string etag_of(std::string_view body) { return fmt::format("W/\"{:016x}\"", std::hash<std::string_view>{}(body)); }

// DDS sends `error` as a string for these, as a number for 401.
answer error(int status, std::string_view code, std::string_view reason, std::string_view suggestion) {
    json::object body;
    if (status == 401)
        body["error"] = status;
    else
        body["error"] = std::to_string(status);
    body["code"] = code;
    body["reason"] = reason;
    body["suggestion"] = suggestion;
    return {status, {}, json::serialize(body)};
}

answer not_found(std::string_view what) {
    return error(404, "not_provided", fmt::format("{} Not Found", what),
                 fmt::format("you may have mistyped the {} id", what));
}

answer not_consistent() {
    return error(404, "resource_not_consistent", "resource changes are still being processed by system",
                 "this is a temporary state that will eventually be resolved by the system; please retry request");
}

answer ok(int status, std::string body) { return {status, {}, std::move(body)}; }

// The request's JSON object, or the 400 that Grape gives: before any token is asked for.
struct parameters {
    json::object values;
    std::optional<answer> refused;

    parameters(const request& request, std::initializer_list<std::string_view> required) {
        boost::system::error_code ec;
        json::value parsed = json::parse(request.body.empty() ? "{}" : request.body, ec);
        if (ec || !parsed.is_object()) {
            refused = answer{400, {}, R"({"error":"There was a problem in the JSON you submitted"})"};
            return;
        }
        values = std::move(parsed.as_object());
        std::string missing;
        for (const auto name : required)
            if (!values.contains(name)) missing += fmt::format("{}{} is missing", missing.empty() ? "" : ", ", name);
        if (!missing.empty()) refused = answer{400, {}, fmt::format(R"({{"error":"{}"}})", missing)};
    }

    std::string text(std::string_view name) const {
        const auto* value = values.if_contains(name);
        return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
    }

    // The `id` of a member that is an object.
    std::string id_of(std::string_view name) const {
        const auto* value = values.if_contains(name);
        if (value == nullptr || !value->is_object()) return {};
        const auto* id = value->as_object().if_contains("id");
        return id != nullptr && id->is_string() ? std::string(id->as_string()) : std::string();
    }
};

std::optional<answer> unauthorized(const request& request) {
    const auto* given = request.find("authorization");
    if (given == nullptr)
        return error(401, "not_provided", "no api_token", "you might need to login through an authenticaton service");
    if (*given != token) return error(401, "not_provided", "invalid api_token", "token not properly signed");
    return std::nullopt;
}

json::object audit(std::string_view created_on) {
    json::object by{{"id", "1f6e1b9a-7f43-4c86-9a7b-0d2f7e9d6c01"}, {"username", "demo"}, {"full_name", "Demo User"}};
    return {{"created_on", created_on},   {"created_by", by},      {"last_updated_on", nullptr},
            {"last_updated_by", nullptr}, {"deleted_on", nullptr}, {"deleted_by", nullptr}};
}

std::size_t number_in(std::string_view text, std::string_view name, std::size_t otherwise) {
    const auto at = text.find(name);
    if (at == std::string_view::npos) return otherwise;
    std::size_t number = otherwise;
    std::from_chars(text.data() + at + name.size(), text.data() + text.size(), number);
    return number;
}

std::vector<std::string> split(const std::string& path) {
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < path.size();) {
        const auto end = std::min(path.find('/', at), path.size());
        if (end > at) parts.push_back(path.substr(at, end - at));
        at = end + 1;
    }
    return parts;
}

} // namespace

const std::string* request::find(const std::string& name) const {
    const auto found = fields.find(name);
    return found == fields.end() ? nullptr : &found->second;
}

dds::dds(std::chrono::milliseconds ready_after) : ready_after_(ready_after) {
    const auto seed = [this](std::string_view project_id, std::string_view file_id, clock::time_point ready_at,
                             std::string_view name) {
        projects_[std::string(project_id)] = {std::string(name), "for the demo", now_text(), ready_at};
        const auto upload_id = new_id();
        uploads_[upload_id] = {
            std::string(project_id), "results.csv", "text/csv", now_text(), 1234, true, now_text(), ready_at};
        files_[std::string(file_id)] = {std::string(project_id), "results.csv", now_text(), {upload_id}};
    };
    seed(ready_project, ready_file, clock::now(), "ready");
    seed(never_ready_project, never_ready_file, clock::time_point::max(), "never ready");
}

answer dds::handle(const request& request) {
    auto path = split(request.path);
    if (path == std::vector<std::string>{"internal", "consistency"}) return status(request);
    // What the manifests' start-up probe asks, as of the real one.
    if (path == std::vector<std::string>{"apidocs"})
        return {
            200, {{"Content-Type", "text/html; charset=UTF-8"}}, "<!DOCTYPE html>\n<html><body>DDS</body></html>\n"};
    if (path.size() < 3 || path[0] != "api" || path[1] != "v1")
        return {
            404, {{"Content-Type", "text/html; charset=UTF-8"}}, "<!DOCTYPE html>\n<html><body>404</body></html>\n"};
    path.erase(path.begin(), path.begin() + 2);
    if (request.method == "OPTIONS") return {204, {{"Allow", "OPTIONS, GET, HEAD, POST, PUT"}}, ""};
    std::unique_lock lock(mutex_);
    auto result = route(request, path);
    lock.unlock();
    changed_.notify_all();

    const bool get = request.method == "GET" || request.method == "HEAD";
    const bool tagged = result.status == 200 || result.status == 201;
    result.fields.emplace_back("Cache-Control", tagged ? "max-age=0, private, must-revalidate" : "no-cache");
    if (!tagged) return result;
    const auto tag = etag_of(result.body);
    result.fields.emplace_back("ETag", tag);
    const auto* known = request.find("if-none-match");
    if (get && known != nullptr && *known == tag) return {304, result.fields, ""};
    return result;
}

answer dds::route(const request& request, const std::vector<std::string>& path) {
    const bool get = request.method == "GET" || request.method == "HEAD";
    const bool post = request.method == "POST", put = request.method == "PUT";
    const auto& what = path[0];
    if (what == "software_agents" && path.size() == 2 && path[1] == "api_token" && post) {
        if (const parameters given(request, {"agent_key", "user_key"}); given.refused) return *given.refused;
        return ok(201, fmt::format(R"({{"api_token":"{}","expires_on":4102444800,"time_to_live":7200}})", token));
    }
    if (what == "projects" && path.size() == 1 && post) return create_project(request);
    if (what == "projects" && path.size() == 3 && path[2] == "uploads" && post) return create_upload(request, path[1]);
    if (what == "uploads" && path.size() == 3 && put) return change_upload(request, path[1], path[2]);
    if (what == "files" && path.size() == 1 && post) return create_file(request);

    if (auto refused = unauthorized(request)) return *refused;
    if (what == "projects" && path.size() == 1 && get) return list_projects(request);
    if (what == "projects" && path.size() == 2 && get) {
        const auto found = projects_.find(path[1]);
        return found == projects_.end() ? not_found("Project") : ok(200, render(found->first, found->second));
    }
    if (what == "uploads" && path.size() == 2 && get) {
        const auto found = uploads_.find(path[1]);
        return found == uploads_.end() ? not_found("Upload") : ok(200, render(found->first, found->second));
    }
    if (what == "files" && path.size() == 2 && (get || put)) return show_file(request, path[1]);
    if (what == "files" && path.size() == 3 && path[2] == "url" && get) return show_url(path[1]);
    return {404, {{"Content-Type", "text/html; charset=UTF-8"}}, "<!DOCTYPE html>\n<html><body>404</body></html>\n"};
}

// RFC 7240: with `Prefer: wait=N` a request that knows the present document is held until another one is there.
answer dds::status(const request& request) {
    if (request.method != "GET" && request.method != "HEAD") return {405, {{"Allow", "GET, HEAD"}}, ""};
    const auto* known = request.find("if-none-match");
    const auto* prefer = request.find("prefer");
    const std::size_t wait = prefer == nullptr ? 0 : number_in(*prefer, "wait=", 0);
    const auto deadline =
        clock::now() + std::min<clock::duration>(std::chrono::seconds(std::min<std::size_t>(wait, 3600)), wait_max);

    std::unique_lock lock(mutex_);
    auto now = consistency();
    auto tag = etag_of(now.text);
    while (wait != 0 && known != nullptr && *known == tag && clock::now() < deadline) {
        changed_.wait_until(lock, std::min(deadline, now.changes_at));
        now = consistency();
        tag = etag_of(now.text);
    }
    answer result{200, {{"ETag", tag}, {"Cache-Control", "no-cache"}}, now.text};
    if (wait != 0) result.fields.emplace_back("Preference-Applied", fmt::format("wait={}", wait));
    if (known != nullptr && *known == tag) return {304, result.fields, ""};
    return result;
}

dds::document dds::consistency() const {
    const auto now = clock::now();
    document result{{}, clock::time_point::max()};
    std::map<std::string, std::pair<bool, bool>> not_ready; // project -> upload, download
    const auto ready = [&](clock::time_point at) {
        if (at > now) result.changes_at = std::min(result.changes_at, at);
        return at <= now;
    };
    for (const auto& [id, project] : projects_)
        if (!ready(project.ready_at)) not_ready[id] = {false, true};
    json::array projects, files;
    for (const auto& [id, file] : files_) {
        if (ready(uploads_.at(file.uploads.back()).ready_at)) continue;
        files.push_back(json::object{{"id", id}, {"is_download_ready", false}});
        not_ready.try_emplace(file.project, true, true).first->second.second = false;
    }
    for (const auto& [id, states] : not_ready)
        projects.push_back(
            json::object{{"id", id}, {"is_upload_ready", states.first}, {"is_download_ready", states.second}});
    result.text = json::serialize(json::object{{"projects", projects}, {"files", files}});
    return result;
}

answer dds::create_project(const request& request) {
    const parameters given(request, {"name", "description"});
    if (given.refused) return *given.refused;
    if (auto refused = unauthorized(request)) return *refused;
    const auto id = new_id();
    const auto& made =
        projects_[id] = {given.text("name"), given.text("description"), now_text(), clock::now() + ready_after_};
    return ok(202, render(id, made));
}

answer dds::list_projects(const request& request) {
    const auto page = std::max<std::size_t>(number_in("&" + request.query, "&page=", 1), 1);
    const auto per_page = std::clamp<std::size_t>(number_in("&" + request.query, "&per_page=", 100), 1, 1000);
    const auto pages = (projects_.size() + per_page - 1) / per_page;
    std::string results;
    std::size_t at = 0;
    for (const auto& [id, project] : projects_)
        if (at++ / per_page + 1 == page) results += (results.empty() ? "" : ",") + render(id, project);
    return {200,
            {{"X-Total", std::to_string(projects_.size())},
             {"X-Total-Pages", std::to_string(pages)},
             {"X-Page", std::to_string(page)},
             {"X-Per-Page", std::to_string(per_page)},
             {"X-Next-Page", page < pages ? std::to_string(page + 1) : ""},
             {"X-Prev-Page", page > 1 ? std::to_string(page - 1) : ""}},
            fmt::format(R"({{"results":[{}]}})", results)};
}

answer dds::create_upload(const request& request, const std::string& project_id) {
    const parameters given(request, {"name", "content_type", "size"});
    if (given.refused) return *given.refused;
    if (auto refused = unauthorized(request)) return *refused;
    const auto project = projects_.find(project_id);
    if (project == projects_.end()) return not_found("Project");
    if (project->second.ready_at > clock::now()) return not_consistent();
    const auto* size = given.values.if_contains("size");
    const auto* chunked = given.values.if_contains("chunked");
    const auto id = new_id();
    const auto& made = uploads_[id] = {project_id,
                                       given.text("name"),
                                       given.text("content_type"),
                                       now_text(),
                                       size->is_int64() ? size->as_int64() : 0,
                                       chunked == nullptr || !chunked->is_bool() || chunked->as_bool(),
                                       std::nullopt,
                                       clock::time_point::max()};
    return {201, {{"X-MIN-CHUNK-UPLOAD-SIZE", "1"}, {"X-MAX-CHUNK-UPLOAD-SIZE", "5368709122"}}, render(id, made)};
}

answer dds::change_upload(const request& request, const std::string& id, const std::string& what) {
    const parameters given(request, {"hash"});
    if (given.refused) return *given.refused;
    if (auto refused = unauthorized(request)) return *refused;
    const auto found = uploads_.find(id);
    if (found == uploads_.end()) return not_found("Upload");
    auto& upload = found->second;
    if (what == "chunks")
        return ok(200, fmt::format(
                           R"({{"http_verb":"PUT","host":"https://store.example","url":"/{}/{}/1","http_headers":[]}})",
                           upload.project, id));
    if (what != "complete") return not_found("Upload");
    if (upload.completed_on) return error(400, "not_provided", "validation failed", "completed_at is immutable");
    upload.completed_on = now_text();
    upload.ready_at = clock::now() + ready_after_;
    return ok(202, render(id, upload));
}

answer dds::create_file(const request& request) {
    const parameters given(request, {"parent", "upload"});
    if (given.refused) return *given.refused;
    if (auto refused = unauthorized(request)) return *refused;
    if (!projects_.contains(given.id_of("parent"))) return not_found("Project");
    const auto upload = uploads_.find(given.id_of("upload"));
    if (upload == uploads_.end() || upload->second.project != given.id_of("parent")) return not_found("Upload");
    const auto id = new_id();
    const auto& made = files_[id] = {upload->second.project, upload->second.name, now_text(), {upload->first}};
    return ok(201, render(id, made));
}

// GET, or PUT with another upload: a new version.
answer dds::show_file(const request& request, const std::string& id) {
    const auto found = files_.find(id);
    if (found == files_.end()) return not_found("File");
    if (request.method == "PUT") {
        const parameters given(request, {"upload"});
        if (given.refused) return *given.refused;
        if (!uploads_.contains(given.id_of("upload"))) return not_found("Upload");
        found->second.uploads.push_back(given.id_of("upload"));
    }
    return ok(200, render(id, found->second));
}

// As the DDS of the proposal: the url is handed out at once, and only `?info` says whether it leads anywhere yet.
answer dds::show_url(const std::string& id) {
    const auto found = files_.find(id);
    if (found == files_.end()) return not_found("File");
    return ok(
        200,
        fmt::format(
            R"({{"http_verb":"GET","host":"https://store.example","url":"/{}/{}?temp_url_sig=demo","http_headers":[]}})",
            found->second.project, found->second.uploads.back()));
}

std::string dds::render(const std::string& id, const project& project) const {
    return json::serialize(json::object{{"kind", "dds-project"},
                                        {"id", id},
                                        {"name", project.name},
                                        {"slug", nullptr},
                                        {"description", project.description},
                                        {"is_deleted", false},
                                        {"audit", audit(project.created_on)}});
}

std::string dds::render(const std::string& id, const upload& upload) const {
    json::object status{
        {"initiated_on", upload.created_on},
        {"ready_for_chunks", true},
        {"completed_on", upload.completed_on ? json::value(*upload.completed_on) : json::value(nullptr)},
        {"is_consistent", upload.ready_at <= clock::now()},
        {"error_on", nullptr},
        {"error_message", nullptr}};
    json::object body{{"id", id},
                      {"name", upload.name},
                      {"content_type", upload.content_type},
                      {"size", upload.size},
                      {"storage_container", upload.project},
                      {"status", status},
                      {"audit", audit(upload.created_on)},
                      {"project", json::object{{"id", upload.project}, {"name", projects_.at(upload.project).name}}}};
    if (!upload.chunked)
        body["signed_url"] = json::object{
            {"http_verb", "PUT"}, {"host", "https://store.example"}, {"url", "/" + upload.project + "/" + id}};
    return json::serialize(body);
}

std::string dds::render(const std::string& id, const file& file) const {
    const json::object parent{{"kind", "dds-project"}, {"id", file.project}};
    return json::serialize(
        json::object{{"kind", "dds-file"},
                     {"id", id},
                     {"parent", parent},
                     {"name", file.name},
                     {"audit", audit(file.created_on)},
                     {"is_deleted", false},
                     {"current_version", json::object{{"version", file.uploads.size()},
                                                      {"upload", json::object{{"id", file.uploads.back()}}}}},
                     {"project", json::object{{"id", file.project}, {"name", projects_.at(file.project).name}}}});
}

} // namespace demo
