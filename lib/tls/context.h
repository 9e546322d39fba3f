#pragma once
#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tls/certificate.h"
#include "tls/ticket_keys.h"

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

/// What a server's context is made of. Files are read once, in for_server().
struct ServerSettings {
  std::string name;  ///< whose it is, such as a virtual host's: sessions are resumed under the same name alone
  std::vector<CertificateFiles> certificates;  ///< of different kinds of keys
  std::string client_authorities;              ///< PEM: the roots for certificates of clients; empty: none
  std::string revocation_lists;                ///< PEM: for certificates of clients; empty: none
  ClientCertificate clients = ClientCertificate::ignored;
  Profile profile = Profile::intermediate;
  std::vector<std::string> protocols{"http/1.1"};  ///< by ALPN (RFC 7301), the first that the client knows too; empty: any
  std::shared_ptr<TicketKeys> tickets{};           ///< nullptr: OpenSSL's own, which live as long as the context
};

/// Whether a client resumes sessions: then all its connections must be to one server, under one name.
enum class Resumption : std::uint8_t { never, of_one_server };

/// What a client's context is made of. Files are read once, in for_client().
struct ClientSettings {
  std::string authorities;                         ///< PEM: a file of the roots; empty: those of the system
  bool verify = true;                              ///< the server's certificate, and its name
  std::vector<std::string> protocols{"http/1.1"};  ///< offered by ALPN, in this order; empty: no offer
  CertificateFiles certificate{};                  ///< for servers that ask for one; without a chain: none
  Resumption resumption = Resumption::never;
};

/// What TLS connections have in common: certificates, versions, ciphers, the protocols that ALPN may choose. It does not change. Threads
/// may share it. It outlives the handshakes of its engines; what they need later they keep.
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
  [[nodiscard]] bool verifies() const { return verifies_; }
  /// What an operator should know today of a server's files, in lines: what expires soon, has expired, or is of no use.
  [[nodiscard]] std::vector<std::string> warnings() const;

  /// A session for a handshake of a client that begins; nullptr: none.
  [[nodiscard]] Owned<SSL_SESSION> take_session() const;
  /// Has a handshake that begins go on with this context, for the name that the client asks for. Of a server. False: there is no
  /// memory.
  [[nodiscard]] bool enter(SSL* ssl, std::string_view server_name) const;

 private:
  struct Parts;

  Context(Role role, const std::vector<std::string>& protocols);
  static base::Result<std::unique_ptr<Context>, std::string> serve(std::vector<LoadedCertificate> certificates,
                                                                   const ServerSettings& settings);
  std::string configure(Profile profile);
  std::string use_certificate(const LoadedCertificate& certificate);
  std::string trust(const ClientSettings& settings);
  std::string ask_clients(const ServerSettings& settings);
  std::string refuse_revoked(const std::string& text, const std::string& file);
  bool identify_sessions(const ServerSettings& settings, const std::string& authorities, const std::string& lists);
  static Parts& parts_of(const SSL_CTX* context);
  static int index_of_parts();
  static int choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                             unsigned int offered_size, void* unused);
  static int staple(SSL* ssl, void* unused);
  static int keep_session(SSL* ssl, SSL_SESSION* session);
  static int ticket_key(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seals);

  SSL_CTX* context_;
  Role role_;
  bool verifies_ = false;
};

}  // namespace wharf::tls
