#include "tls/ticket_age.h"

#include <openssl/x509.h>

#include <cstdint>
#include <cstring>
#include <ctime>

namespace wharf::tls {
namespace {

bool may_be_resumed(SSL_SESSION* session) {
  void* data = nullptr;
  std::size_t size = 0;
  std::int64_t date = 0;
  if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || data == nullptr || size != sizeof date) return false;
  std::memcpy(&date, data, size);
  if (std::time(nullptr) - date >= longest_session) return false;
  const X509* const client = SSL_SESSION_get0_peer(session);
  return client == nullptr || X509_cmp_current_time(X509_get0_notAfter(client)) > 0;
}

}  // namespace

/// OpenSSL counts the life of a session of TLS 1.3 from its last ticket. If there is no memory for the date, the ticket is of no use.
int date_ticket(SSL* ssl, void* /*unused*/) {
  const std::int64_t now = std::time(nullptr);
  if (SSL_session_reused(ssl) == 0) SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &now, sizeof now);
  return 1;
}

SSL_TICKET_RETURN judge_ticket(SSL* /*ssl*/, SSL_SESSION* session, const unsigned char* /*name*/, std::size_t /*size*/,
                               SSL_TICKET_STATUS status, void* /*unused*/) {
  const bool is_renewed = status == SSL_TICKET_SUCCESS_RENEW;
  if ((status != SSL_TICKET_SUCCESS && !is_renewed) || !may_be_resumed(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
  return is_renewed ? SSL_TICKET_RETURN_USE_RENEW : SSL_TICKET_RETURN_USE;
}

}  // namespace wharf::tls
