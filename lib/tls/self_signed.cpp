#include "tls/self_signed.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>

#include <array>
#include <cstdint>
#include <string_view>

#include "base/log.h"
#include "tls/openssl.h"

namespace wharf::tls {
namespace {

constexpr long seconds_of_a_day = 86'400;
constexpr std::size_t serial_bytes = 16;

bool add_extension(X509* certificate, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  const Owned<X509_EXTENSION> extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  return extension && X509_add_ext(certificate, extension.get(), -1) == 1;
}

bool number(X509* certificate) {
  std::array<unsigned char, serial_bytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) return false;
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7F) | 0x40);  // positive, and of that size
  return ASN1_STRING_set(X509_get_serialNumber(certificate), bytes.data(), static_cast<int>(bytes.size())) == 1;
}

bool name(X509* certificate, std::span<const std::string> names) {
  X509_NAME* const subject = X509_get_subject_name(certificate);
  const auto* const first = reinterpret_cast<const unsigned char*>(names.front().c_str());
  if (X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, first, -1, -1, 0) != 1) return false;
  std::string all;
  for (const std::string& each : names) all += base::concat(all.empty() ? "" : ",", is_address(each) ? "IP:" : "DNS:", each);
  return X509_set_issuer_name(certificate, subject) == 1 && add_extension(certificate, NID_subject_alt_name, all);
}

bool fill(X509* certificate, EVP_PKEY* key, std::span<const std::string> names) {
  return X509_set_version(certificate, X509_VERSION_3) == 1 && number(certificate) &&
         X509_gmtime_adj(X509_getm_notBefore(certificate), -seconds_of_a_day) != nullptr &&
         X509_gmtime_adj(X509_getm_notAfter(certificate), 364 * seconds_of_a_day) != nullptr &&
         X509_set_pubkey(certificate, key) == 1 && name(certificate, names) &&
         add_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
         add_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
         add_extension(certificate, NID_ext_key_usage, "serverAuth") && X509_sign(certificate, key, EVP_sha256()) > 0;
}

}  // namespace

base::Result<KeyPair, std::string> self_signed(std::span<const std::string> names) {
  const Owned<EVP_PKEY> key(EVP_EC_gen("P-256"));
  const Owned<X509> certificate(X509_new());
  const Owned<BIO> certificate_text(BIO_new(BIO_s_mem()));
  const Owned<BIO> key_text(BIO_new(BIO_s_mem()));
  const bool done = !names.empty() && key && certificate && certificate_text && key_text &&
                    fill(certificate.get(), key.get(), names) &&
                    PEM_write_bio_X509(certificate_text.get(), certificate.get()) == 1 &&
                    PEM_write_bio_PrivateKey(key_text.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (!done) return base::Failure{base::concat("cannot make a self-signed certificate: ", take_error())};
  return KeyPair{text_of(certificate_text.get()), text_of(key_text.get()), fingerprint(certificate.get())};
}

}  // namespace wharf::tls
