#pragma once
#include <string>
#include <string_view>

#include "base/peer_address.h"

namespace wharf::session {

/// What a TLS handshake found out. A text is empty where nothing is known.
struct TlsFacts {
  std::string version;         ///< such as TLSv1.3
  std::string cipher;          ///< its name in OpenSSL
  std::string server_name;     ///< what the client asked for (RFC 6066 section 3)
  std::string client_subject;  ///< of a certificate that was checked
};

/// The other end of a link, also after it has gone: of a client's connection the client, of one of our own where it leads.
struct LinkPeer {
  base::PeerAddress address;
  const TlsFacts* tls = nullptr;  ///< lives as long as the link; nullptr: the link is not encrypted

  /// Of a request that comes over the link (RFC 9110 section 4.2).
  [[nodiscard]] std::string_view scheme() const { return tls != nullptr ? "https" : "http"; }
};

}  // namespace wharf::session
