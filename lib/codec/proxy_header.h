#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/peer_address.h"

// The header of the PROXY protocol, versions 1 and 2 (haproxy's proxy-protocol.txt): what a balancer sends before anything else, to say
// for whom a connection is.

namespace wharf::codec {

/// The longest line of version 1, CRLF included (section 2.1).
inline constexpr std::size_t longest_proxy_line = 107;
/// The part of a header of version 2 that says how long the rest is (section 2.2).
inline constexpr std::size_t proxy_header_front = 16;

/// Whether bytes are the beginning of a header: `maybe` if they are all equal to one, and too few to tell it from something else.
enum class LooksLikeProxyHeader : std::uint8_t { no, maybe, yes };
LooksLikeProxyHeader looks_like_proxy_header(std::string_view bytes);

struct ProxyHeader {
  enum class Command : std::uint8_t {
    local,  ///< the balancer's own connection, such as a check of its: the connection's own addresses count
    proxy   ///< somebody else's
  };
  /// How the client came to the balancer, as that says.
  enum class Client : std::uint8_t { unsaid, in_the_clear, by_tls };

  int version = 0;
  Command command = Command::proxy;
  Client client = Client::unsaid;
  base::PeerAddress source;       ///< the client; unknown: the connection's own counts
  base::PeerAddress destination;  ///< that the client connected to
  std::string_view values;        ///< for proxy_value(): views into the bytes that were given
};

struct ProxyHeaderResult {
  enum class State : std::uint8_t { done, more, failed };

  State state = State::more;
  std::size_t size = 0;     ///< of the header, when it is done
  std::string_view reason;  ///< why it failed, in a few words that do not change
  ProxyHeader header;
};

/// Reads a header from the front of the bytes that have come so far; those behind it are left alone. One of more than `most` bytes
/// fails. The more bytes are given, the same outcome: a header that has failed does not become one.
ProxyHeaderResult read_proxy_header(std::string_view bytes, std::size_t most);

/// A value of a header of version 2 (section 2.2.1 and later): "authority", "alpn", "unique_id", "netns", "ssl_version", "ssl_cipher",
/// "ssl_cn", "ssl_sig_alg", "ssl_key_alg", or a type in hexadecimal, like "0xea". The first one, if there are several.
std::optional<std::string_view> proxy_value(std::string_view values, std::string_view name);

}  // namespace wharf::codec
