#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "tls/openssl.h"

namespace wharf::tls {
namespace {

/// Mozilla's intermediate profile without finite-field Diffie-Hellman, which no browser has any more.
constexpr const char* ciphers_of_tls_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* ciphers_of_tls_1_3 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr std::string_view name_of_sessions = "wharf";
constexpr int tickets_of_a_handshake = 1;
constexpr int days_of_warning = 30;

std::string no_memory() { return "there is no memory for TLS"; }

/// Gives the key's pass-phrase to OpenSSL, which asks for it only if the key is encrypted.
int give_passphrase(char* into, int size, int /*writing*/, void* text) {
  const auto& passphrase = *static_cast<const std::string*>(text);
  if (passphrase.empty() || passphrase.size() > static_cast<std::size_t>(size)) return -1;
  std::copy(passphrase.begin(), passphrase.end(), into);
  return static_cast<int>(passphrase.size());
}

base::Result<std::string, std::string> first_line(const std::string& file) {
  std::ifstream stream(file);
  std::string line;
  if (!stream || (!std::getline(stream, line) && line.empty()))
    return base::Failure{base::concat("cannot read a pass-phrase from '", file, "'; its first line must be the pass-phrase")};
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

/// RFC 7301 section 3.2: the first of the server's names that the client has too; without one the handshake fails.
int choose_protocol(SSL* /*engine*/, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned int offered_size, void* own) {
  const std::string& names = static_cast<const Context*>(own)->protocols();
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(names.data()),
                                           static_cast<unsigned int>(names.size()), offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Context::Context(Role role, const std::vector<std::string>& protocols)
    : context_(SSL_CTX_new(role == Role::server ? TLS_server_method() : TLS_client_method())), role_(role) {
  for (const std::string& name : protocols) {
    protocols_ += static_cast<char>(static_cast<std::uint8_t>(name.size()));
    protocols_ += name;
  }
}

Context::~Context() { SSL_CTX_free(context_); }

/// What both roles have in common. Buffers are only held while there is something in them; a record may be written from memory that
/// has moved since it was first offered.
std::string Context::configure(Profile profile) {
  if (context_ == nullptr) return no_memory();
  const int least = profile == Profile::modern ? TLS1_3_VERSION : TLS1_2_VERSION;
  SSL_CTX_set_mode(context_, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_NO_AUTO_CHAIN);  // a handshake sends the chain as it was read, and looks for no other
  SSL_CTX_set_options(context_,
                      SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                          SSL_OP_PRIORITIZE_CHACHA);  // that is for clients that prefer it, as they have no AES in hardware
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  const bool done = SSL_CTX_set_min_proto_version(context_, least) == 1 &&
                    SSL_CTX_set_cipher_list(context_, ciphers_of_tls_1_2) == 1 &&
                    SSL_CTX_set_ciphersuites(context_, ciphers_of_tls_1_3) == 1 && SSL_CTX_set1_groups_list(context_, groups) == 1;
  return done ? std::string() : base::concat("OpenSSL cannot be set up: ", take_error());
}

base::Result<std::unique_ptr<Context>, std::string> Context::for_server(const ServerSettings& settings) {
  std::unique_ptr<Context> context(new Context(Role::server, settings.protocols));
  std::string fault = context->configure(settings.profile);
  if (fault.empty()) fault = context->use_files(settings);
  if (fault.empty()) fault = context->serve(settings);
  if (!fault.empty()) return base::Failure{std::move(fault)};
  return context;
}

base::Result<std::unique_ptr<Context>, std::string> Context::for_server(const KeyPair& pair, const ServerSettings& settings) {
  std::unique_ptr<Context> context(new Context(Role::server, settings.protocols));
  std::string fault = context->configure(settings.profile);
  if (fault.empty()) fault = context->use_pair(pair);
  if (fault.empty()) fault = context->serve(settings);
  if (!fault.empty()) return base::Failure{std::move(fault)};
  return context;
}

base::Result<std::unique_ptr<Context>, std::string> Context::for_client(const ClientSettings& settings) {
  std::unique_ptr<Context> context(new Context(Role::client, settings.protocols));
  if (std::string fault = context->configure(Profile::intermediate); !fault.empty()) return base::Failure{std::move(fault)};
  SSL_CTX* const made = context->context_;
  const std::string& names = context->protocols_;
  if (!names.empty() && SSL_CTX_set_alpn_protos(made, reinterpret_cast<const unsigned char*>(names.data()),
                                                static_cast<unsigned int>(names.size())) != 0)
    return base::Failure{no_memory()};
  if (!settings.verify) return context;
  context->verifies_ = true;
  SSL_CTX_set_verify(made, SSL_VERIFY_PEER, nullptr);
  const bool trusts = settings.authorities.empty() ? SSL_CTX_set_default_verify_paths(made) == 1
                                                   : SSL_CTX_load_verify_file(made, settings.authorities.c_str()) == 1;
  if (!trusts)
    return base::Failure{base::concat("cannot read certificates of authorities from '", settings.authorities, "': ", take_error())};
  return context;
}

std::string Context::warning() const {
  const X509* const certificate = SSL_CTX_get0_certificate(context_);
  int days = 0;
  int seconds = 0;
  if (certificate == nullptr) return {};
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notBefore(certificate)) == 1 && (days > 0 || seconds > 0))
    return "is not valid yet";
  if (ASN1_TIME_diff(&days, &seconds, nullptr, X509_get0_notAfter(certificate)) != 1) return {};
  if (days < 0 || seconds < 0) return "has expired";
  return days < days_of_warning ? base::concat("expires in ", days, days == 1 ? " day" : " days") : std::string();
}

std::string Context::use_files(const ServerSettings& settings) {
  if (settings.certificate.empty()) return "a TLS server needs the file of its certificate";
  if (SSL_CTX_use_certificate_chain_file(context_, settings.certificate.c_str()) != 1)
    return base::concat("cannot read a certificate from '", settings.certificate, "': ", take_error(), "; it must be PEM");
  std::string passphrase;
  if (!settings.passphrase.empty()) {
    auto line = first_line(settings.passphrase);
    if (!line) return line.error();
    passphrase = std::move(*line);
  }
  const std::string& key = settings.key.empty() ? settings.certificate : settings.key;
  SSL_CTX_set_default_passwd_cb(context_, give_passphrase);
  SSL_CTX_set_default_passwd_cb_userdata(context_, &passphrase);
  const bool has_key = SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context_, nullptr);
  SSL_CTX_set_default_passwd_cb(context_, nullptr);
  // OpenSSL compares the two when it has both, unless they are of different kinds.
  const int reason = has_key ? 0 : ERR_GET_REASON(ERR_peek_last_error());
  const bool differ = reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
  if (differ || (has_key && SSL_CTX_check_private_key(context_) != 1)) {
    ERR_clear_error();
    return base::concat("the key in '", key, "' does not belong to the certificate in '", settings.certificate, "'");
  }
  if (has_key) return {};
  return base::concat("cannot read a private key from '", key, "': ", take_error(),
                      "; it must be PEM, and an encrypted one needs the file of its pass-phrase");
}

std::string Context::use_pair(const KeyPair& pair) {
  const auto certificate = read_pem<X509>(pair.certificate, PEM_read_bio_X509);
  const auto key = read_pem<EVP_PKEY>(pair.key, PEM_read_bio_PrivateKey);
  const bool done = certificate && key && SSL_CTX_use_certificate(context_, certificate.get()) == 1 &&
                    SSL_CTX_use_PrivateKey(context_, key.get()) == 1;
  return done ? std::string() : base::concat("the pair of key and certificate cannot be used: ", take_error());
}

std::string Context::ask_clients(const ServerSettings& settings) {
  if (settings.clients == ClientCertificate::ignored)
    return settings.client_authorities.empty() ? std::string()
                                               : "authorities for clients need that clients are asked for certificates";
  if (settings.client_authorities.empty()) return "to check certificates of clients takes the file of their authorities";
  const char* const file = settings.client_authorities.c_str();
  STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(file);
  SSL_CTX_set_client_CA_list(context_, names);  // takes it over
  if (names == nullptr || SSL_CTX_load_verify_file(context_, file) != 1)
    return base::concat("cannot read certificates of authorities from '", settings.client_authorities, "': ", take_error());
  const int required = settings.clients == ClientCertificate::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | required, nullptr);
  verifies_ = true;
  return {};
}

std::string Context::serve(const ServerSettings& settings) {
  if (std::string fault = ask_clients(settings); !fault.empty()) return fault;
  SSL_CTX_set_session_id_context(context_, reinterpret_cast<const unsigned char*>(name_of_sessions.data()),
                                 static_cast<unsigned int>(name_of_sessions.size()));
  if (SSL_CTX_set_num_tickets(context_, tickets_of_a_handshake) != 1) return no_memory();
  if (!protocols_.empty()) SSL_CTX_set_alpn_select_cb(context_, choose_protocol, this);
  return {};
}

}  // namespace wharf::tls
