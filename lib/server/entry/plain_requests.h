#pragma once
#include <cstdint>

#include "http/exchange.h"
#include "server/open_door.h"
#include "server/router.h"

namespace wharf::server {

/// Requests that come without TLS to a door that does not serve them so: each learns how to come. Mounts may be exceptions.
class PlainRequests final : public session::Handler {
 public:
  /// All of these outlive this.
  PlainRequests(Router& router, base::Log& log, const OpenDoor& door) : router_(router), log_(log), door_(door) {}

  void handle(session::Exchange& exchange) override;
  void refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) override;

 private:
  [[nodiscard]] bool serves(const session::Exchange& exchange) const;
  void redirect(session::Exchange& exchange) const;
  [[nodiscard]] std::uint16_t port() const;

  Router& router_;
  base::Log& log_;
  const OpenDoor& door_;
};

}  // namespace wharf::server
