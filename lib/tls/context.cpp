#include "tls/context.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <tuple>
#include <utility>

#include "base/ascii.h"
#include "base/log.h"
#include "codec/host_pattern.h"
#include "tls/engine.h"
#include "tls/kept_sessions.h"
#include "tls/server_name.h"
#include "tls/ticket_age.h"

namespace wharf::tls {
namespace {

/// Mozilla's intermediate profile without finite-field Diffie-Hellman, which no browser has any more.
constexpr const char* ciphers_of_tls_1_2 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* ciphers_of_tls_1_3 = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";
constexpr int tickets_of_a_handshake = 1;

std::string no_memory() { return "there is no memory for TLS"; }

using Digest = std::array<unsigned char, 32>;
static_assert(std::tuple_size<Digest>() <= SSL_MAX_SID_CTX_LENGTH);

bool digest(std::string_view bytes, Digest& result) {
  return EVP_Digest(bytes.data(), bytes.size(), result.data(), nullptr, EVP_sha256(), nullptr) == 1;
}

/// Appends a text so that it ends where it ends.
void append_sized(std::string& all, std::string_view text) {
  all += base::concat(text.size(), ":");
  all += text;
}

std::string fault_of_list(const X509_CRL* list) {
  int days = 0;
  int seconds = 0;
  const ASN1_TIME* const next = X509_CRL_get0_nextUpdate(list);
  if (next == nullptr || ASN1_TIME_diff(&days, &seconds, nullptr, next) != 1) return {};
  return days < 0 || seconds < 0 ? "has expired, so certificates of clients are refused" : "";
}

/// Kinds of keys that clients can check with the ciphers above.
std::string_view kind_of(const EVP_PKEY* key) {
  switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA: return "RSA";
    case EVP_PKEY_RSA_PSS: return "RSA-PSS";
    case EVP_PKEY_EC: return "ECDSA";
    case EVP_PKEY_ED25519: return "Ed25519";
    case EVP_PKEY_ED448: return "Ed448";
    default: return {};
  }
}

/// OpenSSL has one place for each kind.
std::string fault_of_kinds(const std::vector<LoadedCertificate>& certificates) {
  for (auto each = certificates.begin(); each != certificates.end(); ++each) {
    const std::string_view kind = kind_of(each->key.get());
    if (kind.empty())
      return base::concat("the certificate in '", each->file, "' has a key of a kind that clients do not check; take ECDSA or RSA");
    const auto is_same = [kind](const LoadedCertificate& other) { return kind_of(other.key.get()) == kind; };
    if (const auto other = std::find_if(certificates.begin(), each, is_same); other != each)
      return base::concat("the certificates in '", other->file, "' and '", each->file, "' are both of the kind ", kind,
                          "; give one of each kind");
  }
  return {};
}

}  // namespace

/// What callbacks need. It lives as long as OpenSSL's context, which is as long as the last connection that has it.
struct Context::Parts {
  std::string protocols;  // in the form of RFC 7301: each name behind its length
  Digest sessions{};      // what sessions stand for, except the name that the client asked for
  std::vector<LoadedCertificate> certificates;
  std::shared_ptr<TicketKeys> tickets;
  std::string lists_file;
  std::vector<Owned<X509_CRL>> lists;
  KeptSessions kept;  // of a client
};

int Context::index_of_parts() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr,
                                                    [](void* /*context*/, void* parts, CRYPTO_EX_DATA* /*all*/, int /*index*/,
                                                       long /*number*/, void* /*pointer*/) { delete static_cast<Parts*>(parts); });
  return index;
}

Context::Parts& Context::parts_of(const SSL_CTX* context) {
  return *static_cast<Parts*>(SSL_CTX_get_ex_data(context, index_of_parts()));
}

Context::Context(Role role, const std::vector<std::string>& protocols)
    : context_(SSL_CTX_new(role == Role::server ? TLS_server_method() : TLS_client_method())), role_(role) {
  auto parts = std::make_unique<Parts>();
  for (const std::string& name : protocols) {
    parts->protocols += static_cast<char>(static_cast<std::uint8_t>(name.size()));
    parts->protocols += name;
  }
  if (context_ == nullptr) return;
  if (SSL_CTX_set_ex_data(context_, index_of_parts(), parts.get()) == 1) {
    (void)parts.release();
  } else {
    SSL_CTX_free(context_);
    context_ = nullptr;
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
  if (settings.certificates.empty()) return base::Failure{std::string("a TLS server needs the file of its certificate")};
  std::vector<LoadedCertificate> certificates;
  for (const CertificateFiles& files : settings.certificates) {
    auto loaded = load_certificate(files);
    if (!loaded) return base::Failure{loaded.error()};
    certificates.push_back(std::move(*loaded));
  }
  return serve(std::move(certificates), settings);
}

base::Result<std::unique_ptr<Context>, std::string> Context::for_server(const KeyPair& pair, const ServerSettings& settings) {
  auto loaded = load_certificate(pair);
  if (!loaded) return base::Failure{loaded.error()};
  std::vector<LoadedCertificate> certificates;
  certificates.push_back(std::move(*loaded));
  return serve(std::move(certificates), settings);
}

base::Result<std::unique_ptr<Context>, std::string> Context::serve(std::vector<LoadedCertificate> certificates,
                                                                   const ServerSettings& settings) {
  std::unique_ptr<Context> context(new Context(Role::server, settings.protocols));
  std::string fault = context->configure(settings.profile);
  if (fault.empty()) fault = fault_of_kinds(certificates);
  for (const LoadedCertificate& each : certificates)
    if (fault.empty()) fault = context->use_certificate(each);
  if (fault.empty()) fault = context->ask_clients(settings);
  if (!fault.empty()) return base::Failure{std::move(fault)};
  SSL_CTX* const made = context->context_;
  Parts& parts = parts_of(made);
  parts.certificates = std::move(certificates);
  parts.tickets = settings.tickets;
  SSL_CTX_set_timeout(made, longest_session);
  SSL_CTX_set_tlsext_status_cb(made, staple);
  SSL_CTX_set_client_hello_cb(made, Engine::choose_context, nullptr);
  SSL_CTX_set_tlsext_servername_callback(made, acknowledge_name);
  const bool done = SSL_CTX_set_num_tickets(made, tickets_of_a_handshake) == 1 &&
                    SSL_CTX_set_session_ticket_cb(made, date_ticket, judge_ticket, nullptr) == 1 &&
                    (parts.tickets == nullptr || SSL_CTX_set_tlsext_ticket_key_evp_cb(made, ticket_key) == 1);
  if (!done) return base::Failure{no_memory()};
  if (!parts.protocols.empty()) SSL_CTX_set_alpn_select_cb(made, choose_protocol, nullptr);
  return context;
}

base::Result<std::unique_ptr<Context>, std::string> Context::for_client(const ClientSettings& settings) {
  std::unique_ptr<Context> context(new Context(Role::client, settings.protocols));
  if (std::string fault = context->configure(Profile::intermediate); !fault.empty()) return base::Failure{std::move(fault)};
  SSL_CTX* const made = context->context_;
  const std::string& names = parts_of(made).protocols;
  if (!names.empty() && SSL_CTX_set_alpn_protos(made, reinterpret_cast<const unsigned char*>(names.data()),
                                                static_cast<unsigned int>(names.size())) != 0)
    return base::Failure{no_memory()};
  if (std::string fault = context->trust(settings); !fault.empty()) return base::Failure{std::move(fault)};
  if (!settings.certificate.chain.empty()) {
    auto loaded = load_certificate(settings.certificate);
    if (!loaded) return base::Failure{loaded.error()};
    if (std::string fault = context->use_certificate(*loaded); !fault.empty()) return base::Failure{std::move(fault)};
    parts_of(made).certificates.push_back(std::move(*loaded));
  }
  if (settings.resumption == Resumption::of_one_server) {
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(made, keep_session);
  }
  return context;
}

/// What the server's certificate must be.
std::string Context::trust(const ClientSettings& settings) {
  verifies_ = settings.verify;
  if (!verifies_) return {};
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER, nullptr);
  const bool trusts = settings.authorities.empty() ? SSL_CTX_set_default_verify_paths(context_) == 1
                                                   : SSL_CTX_load_verify_file(context_, settings.authorities.c_str()) == 1;
  if (trusts) return {};
  return base::concat("cannot read certificates of authorities from '", settings.authorities, "': ", take_error());
}

Owned<SSL_SESSION> Context::take_session() const { return parts_of(context_).kept.take(); }

/// A server may give one at any time after the handshake (RFC 8446 section 4.6.1). 1: it is kept.
int Context::keep_session(SSL* ssl, SSL_SESSION* session) {
  try {
    parts_of(SSL_get_SSL_CTX(ssl)).kept.put(Owned<SSL_SESSION>(session));
  } catch (...) {  // there is no memory: put() has let go of it
  }
  return 1;
}

std::vector<std::string> Context::warnings() const {
  std::vector<std::string> lines;
  const Parts& parts = parts_of(context_);
  for (const LoadedCertificate& each : parts.certificates)
    for (std::string& line : each.warnings()) lines.push_back(std::move(line));
  for (const Owned<X509_CRL>& list : parts.lists)
    if (const std::string fault = fault_of_list(list.get()); !fault.empty())
      lines.push_back(base::concat("a revocation list in '", parts.lists_file, "' ", fault));
  return lines;
}

std::string Context::use_certificate(const LoadedCertificate& certificate) {
  const bool done =
      SSL_CTX_use_cert_and_key(context_, certificate.own.get(), certificate.key.get(), certificate.chain.get(), 1) == 1;
  return done ? std::string() : base::concat("the certificate in '", certificate.file, "' cannot be used: ", take_error());
}

std::string Context::ask_clients(const ServerSettings& settings) {
  if (settings.clients == ClientCertificate::ignored) {
    if (!settings.client_authorities.empty()) return "authorities for clients need that clients are asked for certificates";
    if (!settings.revocation_lists.empty()) return "revocation lists need that clients are asked for certificates";
    return identify_sessions(settings, {}, {}) ? std::string() : no_memory();
  }
  if (settings.client_authorities.empty()) return "to check certificates of clients takes the file of their authorities";
  const auto cannot_read = [&settings](std::string_view why) {
    return base::concat("cannot read certificates of authorities from '", settings.client_authorities, "': ", why);
  };
  const auto authorities = read_file(settings.client_authorities);
  if (!authorities) return cannot_read(authorities.error());
  const auto certificates = certificates_in(*authorities);
  if (certificates.empty()) return cannot_read(take_error());
  for (const Owned<X509>& each : certificates)
    if (SSL_CTX_add_client_CA(context_, each.get()) != 1 || X509_STORE_add_cert(SSL_CTX_get_cert_store(context_), each.get()) != 1)
      return cannot_read(take_error());
  std::string lists;
  if (!settings.revocation_lists.empty()) {
    auto text = read_file(settings.revocation_lists);
    if (!text) return base::concat("cannot read revocation lists from '", settings.revocation_lists, "': ", text.error());
    lists = std::move(*text);
    if (std::string fault = refuse_revoked(lists, settings.revocation_lists); !fault.empty()) return fault;
  }
  const int required = settings.clients == ClientCertificate::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | required, nullptr);
  verifies_ = true;
  return identify_sessions(settings, *authorities, lists) ? std::string() : no_memory();
}

std::string Context::refuse_revoked(const std::string& text, const std::string& file) {
  Parts& parts = parts_of(context_);
  parts.lists = revocation_lists_in(text);
  parts.lists_file = file;
  X509_STORE* const store = SSL_CTX_get_cert_store(context_);
  bool taken = !parts.lists.empty();
  for (const Owned<X509_CRL>& each : parts.lists) taken = taken && X509_STORE_add_crl(store, each.get()) == 1;
  taken = taken && X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL) == 1;
  return taken ? std::string()
               : base::concat("cannot read revocation lists from '", file, "': ", take_error(), "; they must be PEM");
}

/// A session stands for a certificate of a client that was checked, which a resumption does not repeat (RFC 8446 section 2.2). So it is
/// resumed only where the same authorities and the same lists would be asked.
bool Context::identify_sessions(const ServerSettings& settings, const std::string& authorities, const std::string& lists) {
  std::string all = "wharf";
  append_sized(all, settings.name);
  append_sized(all, base::concat(static_cast<int>(settings.clients)));
  append_sized(all, authorities);
  append_sized(all, lists);
  Digest& sessions = parts_of(context_).sessions;
  return digest(all, sessions) &&
         SSL_CTX_set_session_id_context(context_, sessions.data(), static_cast<unsigned int>(sessions.size())) == 1;
}

/// The name is a part of what a session stands for (RFC 6066 section 3).
bool Context::enter(SSL* ssl, std::string_view server_name) const {
  if (SSL_set_SSL_CTX(ssl, context_) == nullptr) return false;
  std::array<char, std::tuple_size<Digest>() + codec::HostPattern::longest_name> all{};
  const Digest& sessions = parts_of(context_).sessions;
  char* end = std::copy(sessions.begin(), sessions.end(), all.begin());
  server_name = codec::without_root(server_name).substr(0, codec::HostPattern::longest_name);
  end = std::transform(server_name.begin(), server_name.end(), end, base::lower);
  Digest under_name{};
  return digest({all.data(), static_cast<std::size_t>(end - all.data())}, under_name) &&
         SSL_set_session_id_context(ssl, under_name.data(), static_cast<unsigned int>(under_name.size())) == 1;
}

/// RFC 7301 section 3.2: the first of the server's names that the client has too; without one the handshake fails.
int Context::choose_protocol(SSL* ssl, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                             unsigned int offered_size, void* /*unused*/) {
  const std::string& names = parts_of(SSL_get_SSL_CTX(ssl)).protocols;
  unsigned char* found = nullptr;
  const int result = SSL_select_next_proto(&found, size, reinterpret_cast<const unsigned char*>(names.data()),
                                           static_cast<unsigned int>(names.size()), offered, offered_size);
  if (result != OPENSSL_NPN_NEGOTIATED) return SSL_TLSEXT_ERR_ALERT_FATAL;
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

/// OpenSSL asks if the client does, when the certificate has been chosen.
int Context::staple(SSL* ssl, void* /*unused*/) {
  const X509* const chosen = SSL_get_certificate(ssl);
  for (const LoadedCertificate& each : parts_of(SSL_get_SSL_CTX(ssl)).certificates) {
    if (each.own.get() != chosen || !each.staple.is_current(std::time(nullptr))) continue;
    const std::string& response = each.staple.response;
    void* const copy = OPENSSL_memdup(response.data(), response.size());  // which the connection frees
    if (copy == nullptr) break;
    SSL_set_tlsext_status_ocsp_resp(ssl, copy, static_cast<long>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }
  return SSL_TLSEXT_ERR_NOACK;
}

int Context::ticket_key(SSL* ssl, unsigned char* name, unsigned char* vector, EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int seals) {
  return TicketKeys::seal_or_open(*parts_of(SSL_get_SSL_CTX(ssl)).tickets, ssl, name, vector, cipher, mac, seals);
}

}  // namespace wharf::tls
