#pragma once
#include <string>
#include <string_view>

#include "codec/http/request_head.h"
#include "http/exchange.h"

namespace wharf::server {

/// Serves one mount of one virtual host on one loop. Outlives its exchanges.
class MountService {
 public:
  virtual ~MountService() = default;

  /// Within Handler::handle(), for a path that begins with the mount's prefix, or is the prefix without its last '/'. `user` was
  /// let in; null data if no user was asked for.
  virtual void serve(session::Exchange& exchange, std::string_view path, std::string_view user) = 0;
  /// Whether such a request for the prefix without its last '/' is sent to the prefix instead.
  [[nodiscard]] virtual bool adds_slash(const codec::RequestHead& /*head*/) const { return false; }
  /// Whether WebSockets below the prefix are its own. Otherwise the protocol table serves them.
  [[nodiscard]] virtual bool takes_upgrades() const { return false; }
  /// Checks whether what it serves was replaced. Returns an empty text, or what is in the way, in one line.
  virtual std::string look_again() { return {}; }
  /// No other requests will come. What is its own, such as connections that are kept, ends.
  virtual void retire() {}
};

}  // namespace wharf::server
