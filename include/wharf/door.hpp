#pragma once
/// A door: a port or a unix socket that a server listens on, and what it takes there.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "wharf/tls.hpp"

namespace wharf {

/// What becomes of HTTP requests that come without TLS, except for those of mounts that are served even so (Mount::without_tls).
enum class PlainHttp : std::uint8_t {
  refused,  ///< with 400 and a sentence that says to use https, on a door that has TLS. One without serves them
  redirected,  ///< with 308 to the same host and target at `https_port`, by https. On a door without TLS, those that a trusted front or
               ///< a PROXY header says came by TLS are served
  served       ///< on a door with TLS, as on one without
};

/// Which connections of a door a raw row has.
enum class RawUse : std::uint8_t {
  always,   ///< every one, from its first byte: there is no HTTP
  fallback  ///< those that begin with what is neither HTTP nor TLS, or with nothing for Limits::tls_handshake_time
};

/// docs/doors.md says more about each of these.
struct Door {
  std::optional<Tls> tls{};  ///< nothing: without TLS
  PlainHttp plain_http = PlainHttp::refused;
  std::uint16_t https_port = 0;  ///< where PlainHttp::redirected leads. 0: to the door's own port, or from one without TLS to 443
  /// Balancers whose every connection begins with a header of the PROXY protocol, which names the client: networks like those of
  /// TrustedFronts. Whoever else sends one is refused. Empty: nobody is expected to.
  std::vector<std::string> proxy_header_from{};
  std::string raw{};  ///< a raw row of the protocol table; empty: HTTP alone. docs/raw.md
  RawUse raw_use = RawUse::always;
  int backlog = 0;  ///< connections that wait for `accept`; 0: Limits::backlog
  /// Connections that may bring their first bytes along before they are complete (TCP Fast Open, RFC 7413); 0: off. Those bytes may
  /// come twice. The system has to allow it for servers: net.ipv4.tcp_fastopen.
  int fast_open = 0;

  // Of a unix socket with a path.
  unsigned mode = 0660;  ///< of its file, whatever the umask; whoever may write to it may connect
  std::string owner{};   ///< a user's name or number; empty: the process's
  std::string group{};   ///< a group's name or number; empty: the process's
};

}  // namespace wharf
