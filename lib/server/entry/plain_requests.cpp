#include "server/entry/plain_requests.h"

#include <optional>
#include <string>
#include <utility>

#include "base/log.h"
#include "codec/http/target.h"
#include "server/moved.h"

namespace wharf::server {
namespace {

constexpr std::uint16_t https_port = 443;
constexpr base::LogKind without_tls("requests without TLS");

}  // namespace

/// Behind a front that has TLS on its other side, a door without it is where requests belong.
bool PlainRequests::serves(const session::Exchange& exchange) const {
  return router_.serves_without_tls(exchange) || (door_.tls == nullptr && exchange.scheme() == "https");
}

void PlainRequests::handle(session::Exchange& exchange) {
  if (serves(exchange)) return router_.handle(exchange);
  if (!router_.note(exchange)) return;
  if (door_.settings.plain_http == PlainHttp::redirected) return redirect(exchange);
  log_.info(without_tls, exchange.client().text(), ": no TLS, an HTTP request without it was refused");
  exchange.respond(session::text_response(400, "This port speaks TLS, and the request came without: use https."));
}

void PlainRequests::refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) {
  if (door_.tls != nullptr) log_.info(without_tls, peer.address.text(), ": no TLS, and no HTTP request either");
  router_.refused(peer, end);
}

/// 0: the usual one.
std::uint16_t PlainRequests::port() const {
  if (door_.settings.https_port != 0) return door_.settings.https_port;
  return door_.tls != nullptr ? io::peer_address(door_.address).port() : std::uint16_t{0};
}

/// To the host that the client asked for, which is a host (RFC 9110 section 7.2).
void PlainRequests::redirect(session::Exchange& exchange) const {
  const codec::RequestHead& head = exchange.request();
  const std::optional<codec::Authority> authority = codec::split_authority(head.host);
  if (!authority || head.path.empty() || head.method == "CONNECT")
    return exchange.respond(session::text_response(400, "Use https. The request names no host to redirect to."));
  std::string location = base::concat("https://", authority->host);
  if (port() != 0 && port() != https_port) location += base::concat(":", port());
  location += head.path;
  if (!head.query.empty()) location += base::concat("?", head.query);
  exchange.respond(moved(308, std::move(location)));
}

}  // namespace wharf::server
