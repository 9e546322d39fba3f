// TLS for the floors and the load client, straight from OpenSSL. Nothing here is shared with the library.
#pragma once
#include <openssl/ssl.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "echo.h"

namespace bench {

struct FreeTls {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  void operator()(SSL* tls) const { SSL_free(tls); }
  void operator()(SSL_SESSION* session) const { SSL_SESSION_free(session); }
};
using TlsContext = std::unique_ptr<SSL_CTX, FreeTls>;
using Tls = std::unique_ptr<SSL, FreeTls>;
using TlsSession = std::unique_ptr<SSL_SESSION, FreeTls>;

// TLS 1.3 alone, TLS_AES_128_GCM_SHA256, X25519. nullptr, with the reason on stderr, if the files cannot be used.
TlsContext server_context(const std::string& certificate, const std::string& key);
TlsContext client_context();

// The server's end of a connection, between two BIOs in memory, as most servers over libuv have it.
class Secure {
 public:
  explicit Secure(SSL_CTX* context);

  // Gives OpenSSL what was read, and gets the plain bytes of it, at most `into.size()` at a time: call it again until it returns none.
  void received(std::span<const std::uint8_t> records);
  std::size_t plain(std::span<std::uint8_t> into);
  // False: the peer ended, or something is wrong.
  bool good() const { return good_; }
  void seal(std::span<const iovec> pieces);
  // What is to be sent: replies of OpenSSL, and what was sealed. Valid until the next call.
  std::span<const std::uint8_t> records();
  void sent();
  void end();

 private:
  Tls tls_;
  BIO* in_ = nullptr;
  BIO* out_ = nullptr;
  bool good_ = true;
};

// Decrypts what was read, answers it, and seals the answer, for both floors: what is to be sent is in secure.records().
Next answer(Secure& secure, Echo& echo, std::span<const std::uint8_t> records, std::span<std::uint8_t> buffer, Reply& reply);

}  // namespace bench
