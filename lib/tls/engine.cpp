#include "tls/engine.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/log.h"
#include "tls/openssl.h"

namespace wharf::tls {
namespace {

long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

/// A client asks for a name, not for an address (RFC 6066 section 3); the certificate must have either.
bool expect(SSL* ssl, const std::string& server, bool verifies) {
  const bool by_address = is_address(server);
  if (!by_address && SSL_set_tlsext_host_name(ssl, server.c_str()) != 1) return false;
  if (!verifies) return true;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return by_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), server.c_str()) == 1
                    : SSL_set1_host(ssl, server.c_str()) == 1;
}

}  // namespace

/// A BIO of our own instead of one in memory: records are read from where they were received, and written to where they leave.
const BIO_METHOD* Engine::transport() {
  static const BIO_METHOD* const method = [] {
    BIO_METHOD* const made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "wharf");
    if (made == nullptr) throw std::bad_alloc();
    BIO_meth_set_read(made, read_records);
    BIO_meth_set_write(made, write_records);
    BIO_meth_set_ctrl(made, control);
    BIO_meth_set_create(made, [](BIO* bio) {
      BIO_set_init(bio, 1);
      return 1;
    });
    return made;
  }();
  return method;
}

int Engine::read_records(BIO* bio, char* into, int size) {
  auto& engine = *static_cast<Engine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (engine.came_.empty()) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = std::min(static_cast<std::size_t>(size), engine.came_.size());
  std::memcpy(into, engine.came_.data(), taken);
  engine.came_ = engine.came_.subspan(taken);
  return static_cast<int>(taken);
}

int Engine::write_records(BIO* bio, const char* bytes, int size) {
  auto& engine = *static_cast<Engine*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  try {
    engine.sealed_.append({bytes, static_cast<std::size_t>(size)});
    return size;
  } catch (const std::bad_alloc&) {
    engine.no_memory_ = true;
    return -1;
  }
}

Engine::Engine(const Context& context, base::OutQueue& sealed, const std::string& server_name)
    : ssl_(SSL_new(context.get())), sealed_(sealed) {
  BIO* const bio = ssl_ != nullptr ? BIO_new(transport()) : nullptr;
  const bool is_client = context.role() == Role::client;
  const bool ready = bio != nullptr && (!is_client || server_name.empty() || expect(ssl_, server_name, context.verifies()));
  if (!ready) {
    BIO_free(bio);
    SSL_free(ssl_);
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
  if (is_client && server_name.empty() && context.verifies()) {
    state_ = State::failed;
    error_ = "there is no name to verify";
  }
  if (is_client) SSL_set_connect_state(ssl_);
  else SSL_set_accept_state(ssl_);
}

Engine::~Engine() { SSL_free(ssl_); }

std::size_t Engine::take_back() {
  const std::size_t left = came_.size();
  came_ = {};
  return left;
}

Engine::State Engine::shake_hands() {
  if (state_ != State::handshaking) return state_;
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) state_ = State::open;
  else fail(result);
  return state_;
}

std::size_t Engine::read(std::span<char> room) {
  std::size_t filled = 0;
  ERR_clear_error();
  while (state_ == State::open && filled < room.size()) {
    const std::size_t most = std::min<std::size_t>(room.size() - filled, largest_record);
    const int size = SSL_read(ssl_, room.data() + filled, static_cast<int>(most));
    if (size <= 0) {
      if (SSL_get_error(ssl_, size) != SSL_ERROR_WANT_READ) fail(size);
      break;
    }
    filled += static_cast<std::size_t>(size);
  }
  return filled;
}

/// The queue takes whole records. The peer may have asked for small ones (RFC 6066 section 4): then a part is taken, or several are made.
std::size_t Engine::seal(std::string_view plain) {
  if (state_ != State::open && state_ != State::peer_ended) return 0;
  ERR_clear_error();
  const int written = SSL_write(ssl_, plain.data(), static_cast<int>(plain.size()));
  if (written > 0) return static_cast<std::size_t>(written);
  fail(written);
  return 0;
}

void Engine::close_notify() {
  if (state_ != State::open && state_ != State::peer_ended) return;
  ERR_clear_error();
  if (SSL_shutdown(ssl_) < 0) ERR_clear_error();
  if (no_memory_) throw std::bad_alloc();
}

bool Engine::has_part() const { return SSL_has_pending(ssl_) != 0; }

bool Engine::has_more() const { return state_ == State::open && (SSL_pending(ssl_) > 0 || !came_.empty()); }

void Engine::fail(int result) {
  const int kind = SSL_get_error(ssl_, result);
  if (no_memory_) {
    state_ = State::failed;
    ERR_clear_error();
    throw std::bad_alloc();
  }
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return;
  if (kind == SSL_ERROR_ZERO_RETURN) {
    state_ = State::peer_ended;
    return;
  }
  state_ = State::failed;
  const long verified = SSL_get_verify_result(ssl_);
  error_ = SSL_get_verify_mode(ssl_) != SSL_VERIFY_NONE && verified != X509_V_OK
               ? base::concat(take_error(), ": ", X509_verify_cert_error_string(verified))
               : take_error();
  ERR_clear_error();
}

session::TlsFacts Engine::facts() const {
  session::TlsFacts facts{SSL_get_version(ssl_), SSL_get_cipher_name(ssl_), {}, {}};
  if (const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name)) facts.server_name = name;
  const X509* const certificate = SSL_is_server(ssl_) == 1 ? SSL_get0_peer_certificate(ssl_) : nullptr;
  if (certificate != nullptr && SSL_get_verify_result(ssl_) == X509_V_OK) {
    const Owned<BIO> text(BIO_new(BIO_s_mem()));
    if (text && X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
      facts.client_subject = text_of(text.get());
  }
  return facts;
}

}  // namespace wharf::tls
