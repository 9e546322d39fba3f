#include "tls/engine.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "base/log.h"
#include "tls/openssl.h"
#include "tls/server_name.h"

namespace wharf::tls {
namespace {

constexpr int bits_of_p_256 = 256;
constexpr unsigned cost_of_large_keys = 4;  // RSA of 2,048 bits, P-384

long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

/// A client asks for a name, not for an address (RFC 6066 section 3); the certificate must have either among its alternative names: what
/// its subject is called does not count (RFC 9110 section 4.3.4).
bool expect(SSL* ssl, const std::string& server, bool verifies) {
  const bool by_address = is_address(server);
  if (!by_address && SSL_set_tlsext_host_name(ssl, server.c_str()) != 1) return false;
  if (!verifies) return true;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
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
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (wire.came.empty() || wire.work_left <= 0 || wire.messages_without_data > most_messages_without_data) {
    BIO_set_retry_read(bio);
    return -1;
  }
  const std::size_t taken = std::min(static_cast<std::size_t>(size), wire.came.size());
  std::memcpy(into, wire.came.data(), taken);
  wire.came = wire.came.subspan(taken);
  return static_cast<int>(taken);
}

int Engine::write_records(BIO* bio, const char* bytes, int size) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  const std::string_view records(bytes, static_cast<std::size_t>(size));
  try {
    if (wire.sealed != nullptr) wire.sealed->append(records);
    else wire.aside += records;
    return size;
  } catch (const std::bad_alloc&) {
    wire.no_memory = true;
    return -1;
  }
}

Engine::Engine(const Context& context, base::OutQueue& sealed, const std::string& server_name) : ssl_(SSL_new(context.get())) {
  wire_.sealed = &sealed;
  wire_.context = &context;
  BIO* const bio = ssl_ != nullptr ? BIO_new(transport()) : nullptr;
  const bool is_client = context.role() == Role::client;
  const bool ready = bio != nullptr && (!is_client || server_name.empty() || expect(ssl_, server_name, context.verifies()));
  if (!ready) {
    BIO_free(bio);
    SSL_free(ssl_);
    ERR_clear_error();
    throw std::bad_alloc();
  }
  BIO_set_data(bio, &wire_);
  SSL_set_bio(ssl_, bio, bio);
  if (is_client && server_name.empty() && context.verifies()) {
    state_ = State::failed;
    error_ = "there is no name to verify";
  }
  if (const Owned<SSL_SESSION> session = is_client ? context.take_session() : nullptr) SSL_set_session(ssl_, session.get());
  if (is_client) SSL_set_connect_state(ssl_);
  else SSL_set_accept_state(ssl_);
  SSL_set_cert_cb(ssl_, before_signing, nullptr);
  SSL_set_msg_callback(ssl_, count_message);
}

Engine::Engine(const NamedContexts& contexts, base::OutQueue& sealed) : Engine(contexts.own(), sealed) { wire_.names = &contexts; }

/// Without that, OpenSSL takes the session of a connection that has ended in the middle for one that may not be resumed, as TLS 1.0 had it
/// (RFC 5246 section 7.2.1).
Engine::~Engine() {
  if (state_ == State::open || state_ == State::peer_ended) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

void Engine::give(std::span<const char> bytes, std::int64_t work) {
  wire_.came = bytes;
  wire_.work_left = work;
}

std::size_t Engine::take_back() {
  const std::size_t left = wire_.came.size();
  wire_.came = {};
  return left;
}

// ---- The handshake ----

/// A large key that signs elsewhere has its context by then. Another context brings no callback of the connection's own.
int Engine::choose_context(SSL* ssl, int* alert, void* /*own*/) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(SSL_get_rbio(ssl)));
  if (wire.context == nullptr) return SSL_CLIENT_HELLO_SUCCESS;
  const unsigned char* bytes = nullptr;
  std::size_t size = 0;
  std::string_view name;
  if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &size) == 1)
    name = server_name_in({reinterpret_cast<const char*>(bytes), size});
  const Context* const chosen = wire.names != nullptr ? wire.names->find(name) : wire.context;
  wire.unknown_name = chosen == nullptr;
  *alert = wire.unknown_name ? SSL_AD_UNRECOGNIZED_NAME : SSL_AD_INTERNAL_ERROR;
  if (wire.unknown_name || !chosen->enter(ssl, name)) return SSL_CLIENT_HELLO_ERROR;
  SSL_set_cert_cb(ssl, before_signing, nullptr);
  return SSL_CLIENT_HELLO_SUCCESS;
}

/// OpenSSL asks just before this side signs: with what it has been given by then, and not if a session is resumed. All keys that this
/// connection may sign with are looked at. Negative: the handshake stops here, and goes on with the next call.
int Engine::before_signing(SSL* ssl, void* /*own*/) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(SSL_get_rbio(ssl)));
  bool is_large = false;
  wire.cost = 1;
  for (long more = SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST); more == 1; more = SSL_set_current_cert(ssl, SSL_CERT_SET_NEXT)) {
    const EVP_PKEY* const key = SSL_get_privatekey(ssl);
    if (key == nullptr) continue;
    const bool is_rsa = EVP_PKEY_is_a(key, "RSA") == 1 || EVP_PKEY_is_a(key, "RSA-PSS") == 1;
    const int bits = EVP_PKEY_get_bits(key);
    is_large = is_large || (is_rsa && bits > largest_key_of_a_loop);
    if (is_rsa || bits > bits_of_p_256) wire.cost = cost_of_large_keys;
  }
  SSL_set_current_cert(ssl, SSL_CERT_SET_FIRST);
  return is_large && wire.keys == Keys::small ? -1 : 1;
}

Engine::Outcome Engine::shake(SSL* ssl) {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl);
  return result == 1 ? Outcome{State::open, {}} : outcome(ssl, result, State::handshaking);
}

Engine::State Engine::shake_hands() {
  if (state_ != State::handshaking && state_ != State::must_sign) return state_;
  wire_.cost = 1;
  settle(shake(ssl_));
  return state_;
}

std::shared_ptr<Engine::Aside> Engine::go_aside() {
  auto step = std::make_shared<Aside>(ssl_);
  BIO_set_data(SSL_get_rbio(ssl_), &step->wire_);
  return step;
}

Engine::State Engine::come_back(Aside& step) {
  BIO_set_data(SSL_get_rbio(ssl_), &wire_);
  if (!step.wire_.aside.empty()) wire_.sealed->append(step.wire_.aside);
  wire_.no_memory = step.wire_.no_memory;
  settle(std::move(step.outcome_));
  return state_;
}

Engine::Aside::Aside(SSL* ssl) : ssl_(ssl) { SSL_up_ref(ssl); }

Engine::Aside::~Aside() { SSL_free(ssl_); }

void Engine::Aside::run() noexcept {
  try {
    outcome_ = shake(ssl_);
  } catch (...) {  // there is no memory for the reason
  }
}

// ---- Records ----

/// OpenSSL tells of each record and each message, and goes on to the next until there is data: so it is stopped where it takes bytes.
/// An alert that is sent is the reply to a message that nothing else tells of, such as the wish to renegotiate.
void Engine::count_message(int is_sent, int /*version*/, int type, const void* bytes, std::size_t size, SSL* ssl, void* /*own*/) {
  auto& wire = *static_cast<Wire*>(BIO_get_data(SSL_get_rbio(ssl)));
  if (is_sent == 0 && type == SSL3_RT_HEADER) wire.work_left -= record_work;
  if (type == SSL3_RT_ALERT || (is_sent == 0 && type == SSL3_RT_HANDSHAKE)) ++wire.messages_without_data;
  const bool is_key_update =
      is_sent == 0 && type == SSL3_RT_HANDSHAKE && size != 0 && *static_cast<const unsigned char*>(bytes) == SSL3_MT_KEY_UPDATE;
  if (is_key_update) wire.work_left -= key_update_work;
}

std::size_t Engine::read(std::span<char> room) {
  std::size_t filled = 0;
  ERR_clear_error();
  while (state_ == State::open && filled < room.size()) {
    const std::size_t most = std::min<std::size_t>(room.size() - filled, largest_record);
    const int size = SSL_read(ssl_, room.data() + filled, static_cast<int>(most));
    if (size <= 0) {
      if (SSL_get_error(ssl_, size) != SSL_ERROR_WANT_READ || floods()) fail(size);
      break;
    }
    wire_.messages_without_data = 0;
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
  if (wire_.no_memory) throw std::bad_alloc();
}

bool Engine::has_part() const { return SSL_has_pending(ssl_) != 0; }

bool Engine::has_more() const { return state_ == State::open && (SSL_pending(ssl_) > 0 || !wire_.came.empty()); }

bool Engine::look() {
  if (state_ != State::open) return true;
  char plain = 0;
  ERR_clear_error();
  const int size = SSL_peek(ssl_, &plain, 1);
  if (size <= 0) fail(size);
  return size > 0 || state_ != State::open || !wire_.came.empty();
}

Engine::Outcome Engine::outcome(SSL* ssl, int result, State state) {
  const int kind = SSL_get_error(ssl, result);
  if (kind == SSL_ERROR_WANT_READ || kind == SSL_ERROR_WANT_WRITE) return {state, {}};
  if (kind == SSL_ERROR_WANT_X509_LOOKUP) return {State::must_sign, {}};
  if (kind == SSL_ERROR_ZERO_RETURN) return {State::peer_ended, {}};
  const long verified = SSL_get_verify_result(ssl);
  std::string error = take_error();
  if (SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && verified != X509_V_OK)
    error = base::concat(error, ": ", X509_verify_cert_error_string(verified));
  return {State::failed, std::move(error)};
}

void Engine::settle(Outcome&& outcome) {
  if (wire_.no_memory) {
    state_ = State::failed;
    ERR_clear_error();
    throw std::bad_alloc();
  }
  if (floods() && (outcome.state == State::handshaking || outcome.state == State::open))
    outcome = {State::failed, base::concat("more than ", most_messages_without_data, " messages of TLS itself without data")};
  if (state_ != State::open) wire_.messages_without_data = 0;
  state_ = outcome.state;
  error_ = std::move(outcome.error);
  if (wire_.unknown_name) error_ = "it asks for a name that no virtual host has";
  if (state_ == State::handshaking || state_ == State::must_sign) return;
  wire_.context = nullptr;
  wire_.names = nullptr;
}

session::TlsFacts Engine::facts() const {
  session::TlsFacts facts{SSL_get_version(ssl_), SSL_get_cipher_name(ssl_), {}, {}};
  if (const char* const name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name)) facts.server_name = name;
  const X509* const certificate = SSL_is_server(ssl_) == 1 ? SSL_get0_peer_certificate(ssl_) : nullptr;
  if (certificate != nullptr && SSL_get_verify_result(ssl_) == X509_V_OK) {
    const Owned<BIO> text(BIO_new(BIO_s_mem()));
    if (text && X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0)
      facts.client_subject = text_of(text.get());
    facts.client_fingerprint = fingerprint(certificate);
  }
  const unsigned char* protocol = nullptr;
  unsigned int size = 0;
  SSL_get0_alpn_selected(ssl_, &protocol, &size);
  if (size != 0) facts.alpn.assign(reinterpret_cast<const char*>(protocol), size);
  facts.resumed = SSL_session_reused(ssl_) == 1 ? "yes" : "no";
  return facts;
}

}  // namespace wharf::tls
