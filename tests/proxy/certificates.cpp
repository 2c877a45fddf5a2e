#include "tests/proxy/certificates.hpp"

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <cstdio>

namespace sidecar::testing {
namespace {

constexpr long day = 24L * 3600;

std::shared_ptr<X509> blank(EVP_PKEY* key, const std::string& name, int days) {
    std::shared_ptr<X509> made(::X509_new(), ::X509_free);
    ::X509_set_version(made.get(), X509_VERSION_3);
    std::uint64_t serial = 0;
    ::RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ::ASN1_INTEGER_set_uint64(::X509_get_serialNumber(made.get()), serial >> 1);
    ::X509_gmtime_adj(::X509_getm_notBefore(made.get()), days < 0 ? 2 * days * day : -3600);
    ::X509_gmtime_adj(::X509_getm_notAfter(made.get()), days * day);
    ::X509_set_pubkey(made.get(), key);
    ::X509_NAME_add_entry_by_txt(::X509_get_subject_name(made.get()), "CN", MBSTRING_ASC,
                                 reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    return made;
}

void extend(X509* subject, X509* issuer, int which, const std::string& value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    ::X509V3_set_ctx(&context, issuer, subject, nullptr, nullptr, 0);
    X509_EXTENSION* extension = ::X509V3_EXT_conf_nid(nullptr, &context, which, value.c_str());
    ::X509_add_ext(subject, extension, -1);
    ::X509_EXTENSION_free(extension);
}

std::shared_ptr<EVP_PKEY> new_key() { return {EVP_EC_gen("P-256"), ::EVP_PKEY_free}; }

} // namespace

certificate make_authority(const std::string& name) {
    const auto key = new_key();
    const auto made = blank(key.get(), name, 1);
    ::X509_set_issuer_name(made.get(), ::X509_get_subject_name(made.get()));
    extend(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE");
    extend(made.get(), made.get(), NID_subject_key_identifier, "hash");
    ::X509_sign(made.get(), key.get(), ::EVP_sha256());
    return {made, key};
}

certificate make_certificate(const certificate& authority, const std::string& alternative_names, int days) {
    const auto key = new_key();
    const auto made = blank(key.get(), "backend", days);
    ::X509_set_issuer_name(made.get(), ::X509_get_subject_name(authority.public_part.get()));
    extend(made.get(), authority.public_part.get(), NID_subject_alt_name, alternative_names);
    ::X509_sign(made.get(), authority.key.get(), ::EVP_sha256());
    return {made, key};
}

void certificate::write(const std::filesystem::path& certificate_file, const std::filesystem::path& key_file) const {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(certificate_file.c_str(), "w"), std::fclose);
    ::PEM_write_X509(file.get(), public_part.get());
    file.reset(std::fopen(key_file.c_str(), "w"));
    ::PEM_write_PrivateKey(file.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
}

} // namespace sidecar::testing
