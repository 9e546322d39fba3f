#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/peer_address.h"
#include "codec/http/forwarded.h"
#include "codec/http/request_head.h"
#include "codec/http/response_head.h"
#include "http/exchange.h"
#include "http/h1_client.h"
#include "wharf/config.hpp"

// The heads that a gateway passes on (RFC 9110 section 7.6). Heads are written anew from what was parsed; no bytes are copied that
// the parsers have not understood.

namespace wharf::server {

/// Options in Connection, over all its lines; a request with more is refused with 400.
inline constexpr std::size_t most_connection_options = 32;
/// Gateways with our name that a request may have come through; one with more goes round in circles, and is refused with
/// 502.
inline constexpr std::size_t most_hops = 8;

/// Whether a request says 100-continue upstream: the client waits for that, and the server decides.
enum class Expectation : std::uint8_t { none, to_continue };

/// What a request becomes upstream.
struct UpstreamRequest {
  std::string_view path;       ///< percent-encoded, with the query
  base::PeerAddress peer;      ///< the other end of the client's connection
  std::string_view authority;  ///< for Host, if the client named none or its own is not to pass
  std::string_view upgrade;    ///< the protocols to offer; empty: none
  session::OutgoingRequest::Persistence persistence = session::OutgoingRequest::Persistence::kept;
  std::string_view prefix = {};  ///< for X-Forwarded-Prefix; empty: it is left out
  Switch host = Switch::on;      ///< off: the client's does not pass
  Switch via = Switch::on;       ///< off: neither ours nor the client's
  Expectation expectation = Expectation::none;
  std::string_view scheme = "http";               ///< of the peer's connection
  const codec::Forwarding* forwarding = nullptr;  ///< what the peer says, if it is a trusted front
};

/// The head of the request upstream: all end-to-end fields in their order; Host as the client sent it, or the authority;
/// X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, X-Forwarded-Prefix, Forwarded (RFC 7239) if one came, Via; and the
/// framing of the body, which is passed on with its length or in chunks. Without hop-by-hop fields, those that Connection names
/// among them, and without any Expect except the one asked for. What a trusted front said about the request is extended; anybody
/// else's fields of that kind are replaced, however they are spelt.
class UpstreamHead {
 public:
  /// Both outlive it, and so does what they point to.
  UpstreamHead(const codec::RequestHead& head, const UpstreamRequest& request);
  ~UpstreamHead() = default;
  UpstreamHead(const UpstreamHead&) = delete;
  UpstreamHead& operator=(const UpstreamHead&) = delete;

  [[nodiscard]] const session::OutgoingRequest& request() const { return request_; }

 private:
  void add(std::string_view name, std::string_view value) { request_.fields.push_back({name, value}); }
  void add_end_to_end(const codec::RequestHead& head, const UpstreamRequest& request);
  void add_forwarding(const codec::RequestHead& head, const UpstreamRequest& request);

  session::OutgoingRequest request_;
  // What its fields point to besides the client's head.
  std::string chain_;
  std::string port_;
  std::string prefix_;
  std::string forwarded_;
  std::string max_forwards_;
  std::string via_;
};

/// The response to a request that must not be passed on; status 0: it may be.
struct Refusal {
  int status = 0;
  std::string_view line;
};
Refusal check_forwarding(const codec::RequestHead& head);

/// The protocols to which a request asks to upgrade and that may be passed on, as a list; empty if there is none, with HTTP/1.0,
/// and with a body. Never HTTP itself, plain or over TLS: behind that, requests would go upstream that nobody has checked.
std::string offered_upgrades(const codec::RequestHead& head);
/// Whether that list has all the protocols to which a response switches, which are `chosen`, and is not empty.
bool offers_upgrade(const codec::RequestHead& head, std::string_view chosen);

/// RFC 9110 section 9.2.2.
bool is_idempotent(std::string_view method);

/// Whether one of the protocols in such a list is WebSocket, in whatever version.
bool offers_websocket(std::string_view offered);

/// The end-to-end fields of a response in their order, without Content-Length, and without Via if that is off. With 426, Upgrade
/// too.
session::Fields end_to_end_fields(const codec::AnswerHead& head, Switch via = Switch::on);

/// An address without its port, for X-Forwarded-For; "unknown" for the end of a unix socket.
std::string forwarded_address(const base::PeerAddress& address);

}  // namespace wharf::server
