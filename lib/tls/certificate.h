#pragma once
#include <ctime>
#include <string>
#include <vector>

#include "base/result.h"
#include "tls/openssl.h"

namespace wharf::tls {

/// A certificate and its key, both PEM.
struct KeyPair {
  std::string certificate;
  std::string key;
  std::string fingerprint;  ///< as fingerprint() has it
};

/// The files of a certificate.
struct CertificateFiles {
  std::string chain;            ///< PEM: the server's own certificate, then those between it and a root
  std::string key{};            ///< PEM; empty: the key is in the file of the certificate
  std::string passphrase{};     ///< a file whose first line opens an encrypted key; empty: none
  std::string ocsp_response{};  ///< DER (RFC 6960); empty: none
};

/// What the authority of a certificate says of it.
struct Staple {
  std::string file;
  std::string response;  ///< DER
  std::string fault;     ///< why it is of no use; empty: none
  std::time_t from = 0;
  std::time_t until = 0;  ///< 0: it does not say

  [[nodiscard]] bool is_current(std::time_t now) const;
};

/// A certificate with those between it and a root, its key, and perhaps a staple.
struct LoadedCertificate {
  std::string file;  ///< where it is from; empty: from memory
  Owned<X509> own;
  Owned<STACK_OF(X509)> chain;
  Owned<EVP_PKEY> key;
  Staple staple;

  /// What an operator should know today, in lines: that it has expired, does so within 30 days, or is not valid yet; and what is wrong
  /// with the staple.
  [[nodiscard]] std::vector<std::string> warnings() const;
};

/// Errors are one line, and name the file. A staple that is of no use is no error.
base::Result<LoadedCertificate, std::string> load_certificate(const CertificateFiles& files);
base::Result<LoadedCertificate, std::string> load_certificate(const KeyPair& pair);

/// All bytes of a file. The error is the reason alone.
base::Result<std::string, std::string> read_file(const std::string& file);

/// All objects of a kind in a PEM text, in their order; nothing, with OpenSSL's error pending, if there is none or one is broken.
std::vector<Owned<X509>> certificates_in(std::string_view text);
std::vector<Owned<X509_CRL>> revocation_lists_in(std::string_view text);

/// SHA-256 of a certificate, as 32 pairs of hexadecimal digits with colons between them.
std::string fingerprint(const X509* certificate);

}  // namespace wharf::tls
