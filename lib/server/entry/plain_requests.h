#pragma once
#include <cstdint>

#include "http/exchange.h"
#include "server/router.h"
#include "wharf/door.hpp"

namespace wharf::server {

/// Requests that come without TLS to a door that has TLS, and are not served: each learns how to come.
class PlainRequests final : public session::Handler {
 public:
  /// Router and log outlive this. `port` is the door's; 0: it has none.
  PlainRequests(Router& router, base::Log& log, PlainHttp what, std::uint16_t port)
      : router_(router), log_(log), what_(what), port_(port) {}

  void handle(session::Exchange& exchange) override;
  void refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) override;

 private:
  void redirect(session::Exchange& exchange) const;

  Router& router_;
  base::Log& log_;
  PlainHttp what_;
  std::uint16_t port_;
};

}  // namespace wharf::server
