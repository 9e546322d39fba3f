#pragma once
#include <string>
#include <string_view>

#include "base/peer_address.h"

namespace wharf::session {

/// The facts of a TLS handshake. A text is empty if nothing is known.
struct TlsFacts {
  std::string version;         ///< such as TLSv1.3
  std::string cipher;          ///< its name in OpenSSL
  std::string server_name;     ///< the name that the client asked for (RFC 6066 section 3)
  std::string client_subject;  ///< of a certificate that was checked
};

/// The other end of a link, even after it has gone: the client of an accepted connection, the destination of one of our own.
struct LinkPeer {
  base::PeerAddress address;
  const TlsFacts* tls = nullptr;  ///< lives as long as the link; nullptr: the link is not encrypted

  /// Of a request that comes over the link (RFC 9110 section 4.2).
  [[nodiscard]] std::string_view scheme() const { return tls != nullptr ? "https" : "http"; }
};

}  // namespace wharf::session
