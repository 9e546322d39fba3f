#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/peer_address.h"
#include "codec/http/request_head.h"

// What the servers in front of this one say about a request: X-Forwarded-For, -Proto, -Host and -Port, and Forwarded (RFC 7239).
// Each server adds on the right what it knows of the one that asked it. So the fields are as reliable as the servers on the way:
// anything to the left of the first address that is not trusted may be invented by the client.

namespace wharf::codec {

/// The most trusted servers on the way that are examined; beyond them nobody is known.
inline constexpr std::size_t most_trusted_hops = 64;

/// Which of the two kinds of fields fronts write; the values of FrontFields in server.hpp. Most let a client's fields of the other
/// kind through.
enum class ForwardingFields : std::uint8_t {
  either,  ///< X-Forwarded-*, or Forwarded if there are none of those
  x_forwarded,
  forwarded
};

/// The trusted servers in front of this one.
class TrustedFronts {
 public:
  TrustedFronts() = default;
  TrustedFronts(std::vector<base::PeerNetwork> networks, ForwardingFields fields)
      : networks_(std::move(networks)), fields_(fields) {}

  [[nodiscard]] bool empty() const { return networks_.empty(); }
  [[nodiscard]] bool contain(const base::PeerAddress& address) const;
  [[nodiscard]] ForwardingFields fields() const { return fields_; }

 private:
  std::vector<base::PeerNetwork> networks_;
  ForwardingFields fields_ = ForwardingFields::either;
};

/// How a request came to the first of the trusted servers.
struct Forwarding {
  base::PeerAddress client;  ///< the nearest address that is not trusted, or the farthest that can be parsed
  std::string_view scheme;   ///< "http" or "https"; empty: nothing is said
  std::string host;          ///< an authority as in Host, with the port if that is not the usual one; empty: nothing is said
  std::uint16_t port = 0;    ///< of X-Forwarded-Port; 0: nothing is said
  ForwardingFields kind = ForwardingFields::x_forwarded;  ///< which of the two was read
};

/// `peer` is one of `fronts`. Works for any fields, however malformed.
Forwarding read_forwarding(const RequestHead& head, const base::PeerAddress& peer, const TrustedFronts& fronts);

/// The scheme that is said, or else that of the connection; `forwarding` may be nullptr.
[[nodiscard]] inline std::string_view scheme_of(const Forwarding* forwarding, std::string_view scheme_of_connection) {
  return forwarding != nullptr && !forwarding->scheme.empty() ? forwarding->scheme : scheme_of_connection;
}
[[nodiscard]] inline std::string_view host_of(const Forwarding* forwarding, const RequestHead& head) {
  return forwarding != nullptr && !forwarding->host.empty() ? std::string_view(forwarding->host) : head.host;
}

/// One element of Forwarded. Values without quotes and escapes.
struct ForwardedElement {
  std::string node;  ///< `for`
  std::string proto;
  std::string host;
};

/// The last elements, most_trusted_hops at most, of all Forwarded fields of a request; none if one of them is malformed. Accepted
/// too: white space around '=' and ';', and addresses without the quotes that their colons require.
std::vector<ForwardedElement> parse_forwarded(const std::vector<Field>& fields);

/// The address of a node (RFC 7239 section 6), or of an item of X-Forwarded-For; unknown for `unknown`, for obfuscated identifiers,
/// and anything else.
base::PeerAddress forwarded_node(std::string_view text);

/// Whether a field is one of those that servers in front of others write, however it is spelt: gateways to programs (RFC 3875
/// section 4.1.18) do not distinguish '-', '_' and other such characters.
bool is_forwarding_field(std::string_view name);

/// Whether a name has characters other than letters, digits and '-'.
bool is_oddly_spelt(std::string_view name);

/// Whether some server takes one name for the other, as above.
bool reads_alike(std::string_view name, std::string_view other);

}  // namespace wharf::codec
