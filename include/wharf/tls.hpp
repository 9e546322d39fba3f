#pragma once
/// Certificates, and what clients of a port with TLS may use (RFC 8446, RFC 5246). docs/tls.md says more.

#include <cstdint>
#include <string>
#include <vector>

namespace wharf {

/// A certificate and its key, in files of PEM.
struct Certificate {
  std::string chain;         ///< the server's own certificate, then those between it and a root
  std::string key{};         ///< empty: the key is in the file of the certificate
  std::string passphrase{};  ///< a file whose first line opens an encrypted key; empty: it is not encrypted
};

/// Whether clients are asked for a certificate (mutual TLS).
enum class ClientCertificates : std::uint8_t {
  ignored,
  optional,  ///< one that is shown must be signed by an authority of `Tls::client_authorities`
  required   ///< and one must be shown
};

/// Which versions and ciphers clients may use, as Mozilla recommends for servers.
enum class TlsProfile : std::uint8_t {
  intermediate,  ///< TLS 1.2 with forward secrecy and authenticated ciphers, and TLS 1.3
  modern         ///< TLS 1.3 alone
};

/// TLS on a door.
struct Tls {
  std::vector<Certificate>
      certificates;                  ///< of different kinds of keys, such as ECDSA and RSA: each client gets the one that it can
                                     ///< check. None: a key and a certificate that signs itself are made in memory, and the
                                     ///< log has a warning with its fingerprint
  std::string client_authorities{};  ///< a file of PEM: who may have signed certificates of clients
  ClientCertificates clients = ClientCertificates::ignored;
  TlsProfile profile = TlsProfile::intermediate;
};

}  // namespace wharf
