#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"
#include "base/result.h"
#include "http/exchange.h"
#include "http/h1_client.h"
#include "link/environment.h"
#include "proxy/exchange.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// Limits that Proxy does not have.
struct ProxyLimits {
  session::H1ClientLimits upstream;  ///< except its response_time, which is the answer_time of Proxy
  base::Time pipe_idle =
      Limits{}.pipe_idle;           ///< without a byte in either direction on a connection that left HTTP. base::never: no limit
  session::Users* users = nullptr;  ///< each connection upstream is one; they outlive the mount
};

/// A gateway to another HTTP/1.1 server, for one mount on one loop (RFC 9110 section 3.7). Heads are written anew, bodies pass
/// through as they come, in both directions no faster than the slower side takes them; connections upstream are kept for later
/// requests. 502 if the server cannot be reached or its response is malformed, 504 if it takes too long; a response that was
/// begun is cut off.
class ProxyMount {
 public:
  /// An empty text, or what is wrong with a proxy's settings, in one line.
  static std::string check(const Proxy& proxy);
  /// How it connects over TLS; nothing: it does not. Of settings that have been checked.
  static std::optional<TlsClient> tls_of(const Proxy& proxy);
  /// `outside` and `log` outlive the mount. Without `outside` every response is 502; without `log` nothing is logged. The
  /// error is one line.
  static base::Result<std::unique_ptr<ProxyMount>, std::string> open(const Proxy& proxy, std::string_view prefix, Outside* outside,
                                                                     base::Log* log = nullptr, const ProxyLimits& limits = {});

  /// Within Handler::handle(). The decoded path of the request begins with the mount's prefix, which ends with '/', or is the
  /// prefix without that. The rest is appended to the path of Proxy::to as it is written in the request, with the query;
  /// 404 if it may lead out of there. The mount outlives the exchange, and every connection that it makes.
  void serve(session::Exchange& exchange);
  /// Whether a request for the prefix without its last '/' is redirected to the prefix: one for a page, whose relative links would
  /// lead elsewhere. Others are passed on, because not every client follows.
  [[nodiscard]] bool adds_slash(const codec::RequestHead& head) const;
  /// No other requests will come: connections that are idle, or will be, end.
  void retire();

 private:
  ProxyMount() = default;
  Switch add_slash_ = Switch::on;
  std::string prefix_;
  std::unique_ptr<Upstream> upstream_;  // nullptr: it cannot be reached from here
};

}  // namespace wharf::server
