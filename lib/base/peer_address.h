#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wharf::base {

/// The other end of a connection: an IP address with a port, a unix socket, or unknown. IPv6 addresses that stand for
/// IPv4 ones (RFC 4291 section 2.5.5.2) are those IPv4 addresses. A small value; texts are made when they are asked for.
class PeerAddress {
 public:
  enum class Family : std::uint8_t { unknown, ipv4, ipv6, unix_socket };
  using Bytes = std::array<std::uint8_t, 16>;

  PeerAddress() = default;
  static PeerAddress ipv4(const std::array<std::uint8_t, 4>& bytes, std::uint16_t port = 0);
  /// `scope` is the index of a network interface, for addresses that are valid only there; else 0.
  static PeerAddress ipv6(const Bytes& bytes, std::uint16_t port = 0, std::uint32_t scope = 0);
  static PeerAddress unix_socket();
  /// What text() and host() write, and an IPv6 address in brackets without a port; nullopt for anything else. No names.
  static std::optional<PeerAddress> parse(std::string_view text);

  [[nodiscard]] Family family() const { return family_; }
  [[nodiscard]] bool known() const { return family_ != Family::unknown; }
  [[nodiscard]] std::uint16_t port() const { return port_; }  ///< 0: not known
  [[nodiscard]] std::uint32_t scope() const { return scope_; }
  [[nodiscard]] const Bytes& bytes() const { return bytes_; }  ///< in network byte order; IPv4 uses the first four

  /// 127.0.0.1:4711, [2001:db8::1]:4711, [fe80::1%eth0]:4711; as host() if the port is not known; unix: for a unix socket; empty
  /// if nothing is known.
  [[nodiscard]] std::string text() const;
  /// Without the port and the brackets.
  [[nodiscard]] std::string host() const;

  [[nodiscard]] PeerAddress without_port() const;
  /// The network of one client, without the port: an IPv4 address, or the first 64 bits of an IPv6 address, within which it may use
  /// any. Exceptions are link-local addresses, where others have the same 64 bits, and what translators (NAT64) made of IPv4, which is
  /// IPv4 again or, if it has no well-known prefix, the whole address.
  [[nodiscard]] PeerAddress client_network() const;

  auto operator<=>(const PeerAddress&) const = default;

 private:
  Bytes bytes_{};
  std::uint32_t scope_ = 0;
  std::uint16_t port_ = 0;
  Family family_ = Family::unknown;
};
static_assert(sizeof(PeerAddress) <= 24, "every connection has one");

/// Where a connection of our own goes: a TCP host and port, or a unix socket.
struct Endpoint {
  std::string host;    ///< a name or an address, without brackets
  std::string port;    ///< a number or the name of a service
  std::string path{};  ///< of a unix socket, or '@' and an abstract name; if it is not empty, the other two do not count

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};

/// `host`, `host:port`, `[host]` or `[host]:port`, cut in two and not checked. Without brackets the first ':' ends the host.
struct HostAndPort {
  std::string_view host;  ///< with its brackets
  std::optional<std::string_view> port;

  /// Without the brackets.
  [[nodiscard]] std::string_view bare_host() const;
};

/// nullopt if a bracket is not closed, or is followed by anything but a port.
std::optional<HostAndPort> split_host_and_port(std::string_view text);

/// An empty text, or a few words that say why no unix socket can have that path, or that name behind '@' (Linux's abstract kind).
std::string_view fault_of_socket_path(std::string_view path);

/// Addresses that begin alike, or all unix sockets.
class PeerNetwork {
 public:
  /// 192.0.2.0/24, 2001:db8::/32, one address alone, or `unix`. The error is one line that says how to mend it.
  static Result<PeerNetwork, std::string> parse(std::string_view text);

  [[nodiscard]] bool contains(const PeerAddress& address) const;

 private:
  PeerNetwork(const PeerAddress& first, unsigned prefix) : first_(first), prefix_(prefix) {}

  PeerAddress first_;
  unsigned prefix_;  // in bits
};

}  // namespace wharf::base
