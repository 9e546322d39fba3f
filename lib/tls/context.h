#pragma once
#include <openssl/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace wharf::tls {

/// The end of a handshake that this side is.
enum class Role : std::uint8_t { server, client };

/// The recommendations of Mozilla that a server follows.
enum class Profile : std::uint8_t {
  intermediate,  ///< TLS 1.2 with forward secrecy and AEAD ciphers, and TLS 1.3
  modern         ///< TLS 1.3 alone
};

/// Whether a server asks its clients for certificates (mutual TLS).
enum class ClientCertificate : std::uint8_t { ignored, optional, required };

/// What a server's context is made of. Names of files are read once, in create().
struct ServerSettings {
  std::string certificate;         ///< PEM: the server's own certificate, then those between it and a root
  std::string key;                 ///< PEM; empty: the key is in the file of the certificate
  std::string passphrase;          ///< a file whose first line opens an encrypted key; empty: none
  std::string client_authorities;  ///< PEM: the roots for certificates of clients; empty: none
  ClientCertificate clients = ClientCertificate::ignored;
  Profile profile = Profile::intermediate;
  std::vector<std::string> protocols{"http/1.1"};  ///< by ALPN (RFC 7301), the first that the client knows too; empty: any
};

/// A certificate and its key, both PEM.
struct KeyPair {
  std::string certificate;
  std::string key;
  std::string fingerprint;  ///< SHA-256 of the certificate, as 32 pairs of hexadecimal digits with colons between them
};

/// What a client's context is made of.
struct ClientSettings {
  std::string authorities;                         ///< PEM: a file of the roots; empty: those of the system
  bool verify = true;                              ///< the server's certificate, and its name
  std::vector<std::string> protocols{"http/1.1"};  ///< offered by ALPN, in this order; empty: no offer
};

/// What the TLS connections of a door, or to one kind of destination, have in common: certificates, versions, ciphers, the protocols
/// that ALPN may choose. It does not change. Threads may share it; it outlives its engines.
class Context {
 public:
  /// The error is one line, and says what to do about it.
  static base::Result<std::unique_ptr<Context>, std::string> for_server(const ServerSettings& settings);
  /// A server with a pair that is in memory alone.
  static base::Result<std::unique_ptr<Context>, std::string> for_server(const KeyPair& pair, const ServerSettings& settings);
  static base::Result<std::unique_ptr<Context>, std::string> for_client(const ClientSettings& settings);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] Role role() const { return role_; }
  [[nodiscard]] SSL_CTX* get() const { return context_; }
  /// In the form of RFC 7301: each name behind its length.
  [[nodiscard]] const std::string& protocols() const { return protocols_; }
  [[nodiscard]] bool verifies() const { return verifies_; }
  /// What an operator should know of the server's own certificate today: that it has expired, does so within 30 days, or is not valid
  /// yet; empty if all is well.
  [[nodiscard]] std::string warning() const;

 private:
  Context(Role role, const std::vector<std::string>& protocols);
  std::string configure(Profile profile);
  std::string use_files(const ServerSettings& settings);
  std::string use_pair(const KeyPair& pair);
  std::string ask_clients(const ServerSettings& settings);
  std::string serve(const ServerSettings& settings);

  SSL_CTX* context_;
  Role role_;
  bool verifies_ = false;
  std::string protocols_;
};

}  // namespace wharf::tls
