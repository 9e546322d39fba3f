#pragma once
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ocsp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <array>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

namespace wharf::tls {

/// Frees what OpenSSL has allocated.
struct Free {
  void operator()(ASN1_OCTET_STRING* text) const { ASN1_OCTET_STRING_free(text); }
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
  void operator()(OCSP_BASICRESP* response) const { OCSP_BASICRESP_free(response); }
  void operator()(OCSP_RESPONSE* response) const { OCSP_RESPONSE_free(response); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
  void operator()(STACK_OF(X509) * certificates) const { sk_X509_pop_free(certificates, X509_free); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(X509_CRL* list) const { X509_CRL_free(list); }
  void operator()(X509_EXTENSION* extension) const { X509_EXTENSION_free(extension); }
};
template <class Type>
using Owned = std::unique_ptr<Type, Free>;

/// The reason of the first error on this thread, which is the cause of the others; the thread's errors are forgotten.
inline std::string take_error() {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  if (error == 0) return "no reason given";
  if (ERR_SYSTEM_ERROR(error)) return std::strerror(ERR_GET_REASON(error));
  if (const char* const reason = ERR_reason_error_string(error)) return reason;
  std::array<char, 256> text{};
  ERR_error_string_n(error, text.data(), text.size());
  return text.data();
}

/// Reads the first object of a type from a PEM text. `read` is OpenSSL's function for that type, such as PEM_read_bio_X509. Returns
/// nullptr if the text has none.
template <class Type, class Read>
Owned<Type> read_pem(std::string_view text, Read read) {
  const Owned<BIO> bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  return Owned<Type>(bio ? read(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

/// Whether it is the text of an IPv4 or IPv6 address.
inline bool is_address(const std::string& name) {
  const Owned<ASN1_OCTET_STRING> address(a2i_IPADDRESS(name.c_str()));
  if (!address) ERR_clear_error();
  return address != nullptr;
}

/// What is written to a BIO in memory.
inline std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace wharf::tls
