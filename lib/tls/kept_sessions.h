#pragma once
#include <openssl/types.h>

#include <cstddef>
#include <mutex>
#include <vector>

#include "tls/openssl.h"

namespace wharf::tls {

/// What a server has given to a client so that later handshakes with it are shorter (RFC 8446 section 2.2). Any thread.
class KeptSessions {
 public:
  /// More than a few are of use only if many connections begin at once.
  static constexpr std::size_t most = 8;

  void put(Owned<SSL_SESSION> session);
  /// The newest that is still good, for a handshake that begins; nullptr: none. One of TLS 1.3 is for one handshake (RFC 8446 appendix
  /// C.4).
  Owned<SSL_SESSION> take();

 private:
  std::mutex mutex_;
  std::vector<Owned<SSL_SESSION>> sessions_;  // the newest is at the end
};

}  // namespace wharf::tls
