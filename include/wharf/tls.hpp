#pragma once
/// Certificates, and what clients of a port with TLS may use (RFC 8446, RFC 5246). docs/tls.md says more.

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace wharf {

/// A certificate and its key, in files of PEM.
struct Certificate {
  std::string chain;            ///< the server's own certificate, then those between it and a root
  std::string key{};            ///< empty: the key is in the file of the certificate
  std::string passphrase{};     ///< a file whose first line opens an encrypted key; empty: it is not encrypted
  std::string ocsp_response{};  ///< a file of DER: what its authority says of it (RFC 6960), for clients that ask (RFC 6066 section
                                ///< 8). One that has expired, or is about another certificate, is not sent; the log has a warning

  friend bool operator==(const Certificate&, const Certificate&) = default;
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

/// What becomes of a client that asks for a name that no virtual host has (RFC 6066 section 3).
enum class UnknownNames : std::uint8_t {
  served,  ///< with the certificate of the door
  refused  ///< with the alert unrecognized_name. Who asks for no name is served
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
  std::string revocation_lists{};  ///< a file of PEM: certificates of clients that are refused (RFC 5280 section 5). It has a list
                                   ///< of each authority between a client and a root, and of the root
  std::string ticket_keys{};  ///< a file of keys of session tickets, 80 bytes each (`openssl rand 80`), for machines that share it:
                              ///< the first encrypts, the others only decrypt. Empty: keys of the server's own, new ones each day
  std::chrono::milliseconds watch{0};  ///< how often it is looked whether the files of doors and virtual hosts have changed; 0:
                                       ///< never. They are read again, as by Server::reload()
  UnknownNames unknown_names = UnknownNames::served;
  /// Raw rows by the name that a client chooses by ALPN (RFC 7301), which goes before HTTP. docs/raw.md
  std::map<std::string, std::string> raw_by_alpn{};
  /// Names of ALPN, 1 to 255 bytes: the first one here that a client knows is agreed on, and who knows none of them is refused. Empty:
  /// those of raw_by_alpn and http/1.1; on a door that is raw always, none is agreed on.
  std::vector<std::string> alpn{};
};

}  // namespace wharf
