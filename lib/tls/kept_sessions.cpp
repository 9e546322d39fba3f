#include "tls/kept_sessions.h"

#include <openssl/ssl.h>

#include <ctime>
#include <utility>

namespace wharf::tls {
namespace {

/// OpenSSL 3.3 has a function whose result goes beyond the year 2038, and 3.4 warns of the other.
std::time_t begin_of(const SSL_SESSION* session) {
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
  return SSL_SESSION_get_time_ex(session);
#else
  return SSL_SESSION_get_time(session);
#endif
}

/// A resumption does not look at the certificate again.
bool is_good(const SSL_SESSION* session) {
  const X509* const certificate = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
  const bool has_expired = certificate == nullptr || X509_cmp_current_time(X509_get0_notAfter(certificate)) < 0;
  const std::time_t until = begin_of(session) + SSL_SESSION_get_timeout(session);
  return !has_expired && std::time(nullptr) < until && SSL_SESSION_is_resumable(session) == 1;
}

}  // namespace

void KeptSessions::put(Owned<SSL_SESSION> session) {
  const std::lock_guard lock(mutex_);
  if (sessions_.size() == most) sessions_.erase(sessions_.begin());
  sessions_.push_back(std::move(session));
}

Owned<SSL_SESSION> KeptSessions::take() {
  const std::lock_guard lock(mutex_);
  while (!sessions_.empty()) {
    SSL_SESSION* const newest = sessions_.back().get();
    const bool good = is_good(newest);
    if (good && SSL_SESSION_get_protocol_version(newest) < TLS1_3_VERSION && SSL_SESSION_up_ref(newest) == 1)
      return Owned<SSL_SESSION>(newest);
    Owned<SSL_SESSION> session = std::move(sessions_.back());
    sessions_.pop_back();
    if (good) return session;
  }
  return nullptr;
}

}  // namespace wharf::tls
