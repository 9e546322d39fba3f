#pragma once
#include <string>
#include <string_view>

#include "base/peer_address.h"
#include "base/shared.h"

namespace wharf::session {

/// The facts of a TLS handshake. A text is empty if nothing is known.
struct TlsFacts {
  std::string version;               ///< such as TLSv1.3
  std::string cipher;                ///< its name in OpenSSL
  std::string server_name;           ///< the name that the client asked for (RFC 6066 section 3)
  std::string client_subject;        ///< of a certificate that was checked
  std::string client_fingerprint{};  ///< of the same: SHA-256 in pairs of hexadecimal digits
  std::string alpn{};                ///< the protocol that was chosen (RFC 7301)
  std::string_view resumed{};        ///< yes or no
};

/// What somebody in front said of a link as it began, in a header of the PROXY protocol.
struct ProxyFacts {
  std::string version;       ///< of the header: "1" or "2"
  std::string destination;   ///< the address that the client connected to; empty: nothing is said
  std::string values;        ///< checked; codec::proxy_value() reads them
  bool came_by_tls = false;  ///< the client, to the one in front
};

/// The other end of a link, even after it has gone: the client of an accepted connection, the destination of one of our own.
struct LinkPeer {
  base::PeerAddress address;
  const TlsFacts* tls = nullptr;  ///< lives as long as the link; nullptr: the link is not encrypted
  /// None: nobody said anything. A TLS link shares them with the one below, which had the header.
  server::Shared<ProxyFacts> proxied{};

  /// Of a request that comes over the link (RFC 9110 section 4.2).
  [[nodiscard]] std::string_view scheme() const { return tls != nullptr || (proxied && proxied->came_by_tls) ? "https" : "http"; }
};

}  // namespace wharf::session
