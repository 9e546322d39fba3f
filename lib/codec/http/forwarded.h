#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/peer_address.h"
#include "codec/http/request_head.h"

// What the servers in front of this one say of a request: X-Forwarded-For, -Proto, -Host and -Port, and Forwarded (RFC 7239). Each
// server adds to the right what it knows of the one that asked it. So the fields are worth as much as the servers on the way: what is
// further left than the first address that nobody vouches for is what a client likes to say.

namespace wharf::codec {

/// Servers of ours on the way that are looked at; behind more of them nobody is known any more.
inline constexpr std::size_t most_trusted_hops = 64;

/// Which of the two kinds of fields fronts write; the values of FrontFields in server.hpp. Most leave a client's fields of the other kind as they are.
enum class ForwardingFields : std::uint8_t {
  either,  ///< X-Forwarded-*, and Forwarded where there are none of those
  x_forwarded,
  forwarded
};

/// The servers in front of this one that are believed.
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

/// How a request came to the first of the servers that are believed.
struct Forwarding {
  base::PeerAddress client;  ///< the nearest address that is not one of theirs, or the farthest that can be understood
  std::string_view scheme;   ///< "http" or "https"; empty: nothing is said
  std::string host;          ///< an authority as in Host, with the port where that is not the usual one; empty: nothing is said
  std::uint16_t port = 0;    ///< of X-Forwarded-Port; 0: nothing is said
  ForwardingFields kind = ForwardingFields::x_forwarded;  ///< which of the two was read
};

/// `peer` is one of `fronts`. Whatever the fields are, this is an answer.
Forwarding read_forwarding(const RequestHead& head, const base::PeerAddress& peer, const TrustedFronts& fronts);

/// What is said, or else what the connection has; `forwarding` may be nullptr.
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

/// The last elements, most_trusted_hops at most, of all Forwarded fields of a request; none where one of them is malformed. Taken as
/// well: white space around '=' and ';', and addresses that lack the quotes which their colons call for.
std::vector<ForwardedElement> parse_forwarded(const std::vector<Field>& fields);

/// The address of a node (RFC 7239 section 6), or of an item of X-Forwarded-For; unknown for `unknown`, for obfuscated identifiers, and
/// for what is none.
base::PeerAddress forwarded_node(std::string_view text);

/// Whether a field is one of those that servers in front of others write, in whatever way it is spelt: gateways to programs (RFC 3875
/// section 4.1.18) make no difference between '-', '_' and other such characters.
bool is_forwarding_field(std::string_view name);

/// Whether a name has other characters than letters, digits and '-'.
bool is_oddly_spelt(std::string_view name);

/// Whether some server takes the one name for the other, as above.
bool reads_alike(std::string_view name, std::string_view other);

}  // namespace wharf::codec
