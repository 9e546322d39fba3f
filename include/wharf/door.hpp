#pragma once
/// A door: a port or a unix socket that a server listens on, and what it takes there.

#include <optional>
#include <string>

#include "wharf/tls.hpp"

namespace wharf {

struct Door {
  std::optional<Tls> tls{};  ///< nothing: without TLS
  std::string raw{};         ///< a raw row of the protocol table, which speaks on every connection from its first byte. Empty: HTTP
  int backlog = 0;           ///< connections that wait for `accept`; 0: Limits::backlog
  /// Connections that may bring their first bytes along before they are complete (TCP Fast Open, RFC 7413); 0: off. Those bytes may
  /// come twice. The system has to allow it for servers: net.ipv4.tcp_fastopen.
  int fast_open = 0;

  // Of a unix socket with a path.
  unsigned mode = 0660;  ///< of its file, whatever the umask; whoever may write to it may connect
  std::string owner{};   ///< a user's name or number; empty: the process's
  std::string group{};   ///< a group's name or number; empty: the process's
};

}  // namespace wharf
