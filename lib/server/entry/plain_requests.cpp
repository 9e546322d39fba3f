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

void PlainRequests::handle(session::Exchange& exchange) {
  router_.note(exchange);
  if (what_ == PlainHttp::redirected) return redirect(exchange);
  log_.info(without_tls, exchange.client().text(), ": no TLS, an HTTP request without it was refused");
  exchange.respond(session::text_response(400, "This port speaks TLS, and the request came without: use https."));
}

void PlainRequests::refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) {
  log_.info(without_tls, peer.address.text(), ": no TLS, and no HTTP request either");
  router_.refused(peer, end);
}

/// To the host that the client asked for, which is a host (RFC 9110 section 7.2), at this port.
void PlainRequests::redirect(session::Exchange& exchange) const {
  const codec::RequestHead& head = exchange.request();
  const std::optional<codec::Authority> authority = codec::split_authority(head.host);
  if (!authority || head.path.empty() || head.method == "CONNECT")
    return exchange.respond(session::text_response(400, "This port speaks TLS: use https."));
  std::string location = base::concat("https://", authority->host);
  if (port_ != 0 && port_ != https_port) location += base::concat(":", port_);
  location += head.path;
  if (!head.query.empty()) location += base::concat("?", head.query);
  exchange.respond(moved(308, std::move(location)));
}

}  // namespace wharf::server
