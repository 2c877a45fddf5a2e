#include "sidecar/rule.hpp"

namespace sidecar {

std::vector<rule> dds_rules() {
    const std::string uploads = "is_upload_ready";
    const std::string downloads = "is_download_ready";
    std::vector<rule> rules;
    rules.push_back({"project_info", "GET", "/projects/{id}", "info", augment_rule{"projects", {uploads, downloads}}});
    rules.push_back({"file_url_info", "GET", "/files/{id}/url", "info", augment_rule{"files", {downloads}}});
    rules.push_back({"upload_gate", "POST", "/projects/{id}/uploads", "", gate_rule{"projects", uploads}});
    rules.push_back({"new_project", "POST", "/projects", "", learn_rule{"projects", {uploads, downloads}}});
    rules.push_back({"new_file", "POST", "/files", "", learn_rule{"files", {downloads}}});
    rules.push_back({"new_file_version", "PUT", "/files/{id}", "", learn_rule{"files", {downloads}, id_from::path}});
    return rules;
}

} // namespace sidecar
