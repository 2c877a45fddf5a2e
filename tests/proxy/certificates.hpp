// Certificates for tests of TLS, made on the spot.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace sidecar::testing {

struct certificate {
    std::shared_ptr<x509_st> public_part;
    std::shared_ptr<evp_pkey_st> key;

    void write(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) const;
};

certificate make_authority(const std::string& name);

// `alternative_names` as OpenSSL has it: "DNS:localhost,IP:127.0.0.1". Valid from now on for so many days; before now
// if there are less than none.
certificate make_certificate(const certificate& authority, const std::string& alternative_names, int days = 1);

} // namespace sidecar::testing
