#include "secure.h"

#include <openssl/bio.h>
#include <openssl/err.h>

#include <cstdio>

namespace bench {

namespace {

TlsContext context_of(const SSL_METHOD* method) {
  TlsContext context(SSL_CTX_new(method));
  SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION);
  SSL_CTX_set_ciphersuites(context.get(), "TLS_AES_128_GCM_SHA256");
  SSL_CTX_set1_groups_list(context.get(), "X25519:P-256");
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  return context;
}

}  // namespace

TlsContext server_context(const std::string& certificate, const std::string& key) {
  TlsContext context = context_of(TLS_server_method());
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 1);
  const bool done = SSL_CTX_use_certificate_chain_file(context.get(), certificate.c_str()) == 1 &&
                    SSL_CTX_use_PrivateKey_file(context.get(), key.c_str(), SSL_FILETYPE_PEM) == 1;
  if (done) return context;
  std::fprintf(stderr, "cannot use %s with %s\n", certificate.c_str(), key.c_str());
  return nullptr;
}

// The certificate is not looked at: what the server does is what is measured.
TlsContext client_context() { return context_of(TLS_client_method()); }

Secure::Secure(SSL_CTX* context) : tls_(SSL_new(context)), in_(BIO_new(BIO_s_mem())), out_(BIO_new(BIO_s_mem())) {
  BIO_set_mem_eof_return(in_, -1);
  BIO_set_mem_eof_return(out_, -1);
  SSL_set_bio(tls_.get(), in_, out_);
  SSL_set_accept_state(tls_.get());
}

void Secure::received(std::span<const std::uint8_t> records) { BIO_write(in_, records.data(), static_cast<int>(records.size())); }

std::size_t Secure::plain(std::span<std::uint8_t> into) {
  std::size_t filled = 0;
  while (filled < into.size()) {
    const int size = SSL_read(tls_.get(), into.data() + filled, static_cast<int>(into.size() - filled));
    if (size <= 0) {
      good_ = SSL_get_error(tls_.get(), size) == SSL_ERROR_WANT_READ;
      if (!good_) ERR_clear_error();
      break;
    }
    filled += static_cast<std::size_t>(size);
  }
  return filled;
}

void Secure::seal(std::span<const iovec> pieces) {
  for (const iovec& piece : pieces) {
    const auto* bytes = static_cast<const std::uint8_t*>(piece.iov_base);
    for (std::size_t done = 0; done < piece.iov_len;) {
      const int size = SSL_write(tls_.get(), bytes + done, static_cast<int>(piece.iov_len - done));
      if (size <= 0) return;
      done += static_cast<std::size_t>(size);
    }
  }
}

std::span<const std::uint8_t> Secure::records() {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(out_, &bytes);
  return {reinterpret_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size > 0 ? size : 0)};
}

void Secure::sent() { static_cast<void>(BIO_reset(out_)); }

void Secure::end() { SSL_shutdown(tls_.get()); }

Next answer(Secure& secure, Echo& echo, std::span<const std::uint8_t> records, std::span<std::uint8_t> buffer, Reply& reply) {
  secure.received(records);
  while (secure.good()) {
    const std::size_t size = secure.plain(buffer);
    if (size == 0) break;
    reply.clear();
    const Next next = echo.take(buffer.first(size), reply);
    secure.seal(reply.pieces());
    if (next == Next::close) return secure.end(), next;
  }
  if (secure.good()) return Next::go_on;
  secure.end();
  return Next::close;
}

}  // namespace bench
