#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/detect.h"
#include "http/exchange_core.h"
#include "http/proxy_prelude.h"
#include "server/entry/plain_requests.h"
#include "server/open_door.h"
#include "tls/tls_link.h"

namespace wharf::server {

/// What the entrances of one loop have in common. All of it outlives them.
struct EntranceParts {
  session::HttpContext& http;
  Router& router;
  tls::LoopParts* tls;  ///< nullptr: only if the door has no TLS
  base::Log& log;
  base::Time tls_handshake;
  base::Time proxy_header_time;
  std::size_t proxy_header;
  session::OpeningCounts* counts;
  std::function<bool(session::Link&)> admit;  ///< once for each connection, as soon as its client is known
};

/// Which sessions a connection to one door goes through on one loop: a PROXY header, if its peer sends one; what it speaks, if there is
/// something to decide; TLS; HTTP. Made once; each session is made when its turn has come. It outlives the connections.
class Entrance {
 public:
  /// The door outlives this.
  Entrance(const OpenDoor& door, EntranceParts parts);
  ~Entrance() = default;
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;

  /// nullptr: the connection is not admitted.
  [[nodiscard]] std::unique_ptr<session::Session> first(session::Link& link) const { return first_(link); }

 private:
  void take_plain(session::Reuse reuse);
  [[nodiscard]] session::SessionMaker admitted(session::SessionMaker next) const;
  [[nodiscard]] bool admits(session::Link& link) const;
  [[nodiscard]] bool is_raw() const;
  [[nodiscard]] session::SessionMaker speaker() const;
  [[nodiscard]] static session::SessionMaker detecting(const session::DetectParts& parts);
  [[nodiscard]] session::SessionMaker raw(const std::string& row) const;
  [[nodiscard]] static session::SessionMaker http(session::HttpContext& context);
  [[nodiscard]] session::SessionMaker sealed() const;
  [[nodiscard]] session::SessionMaker tls() const;

  const OpenDoor& door_;
  EntranceParts parts_;
  session::HttpContext* http_;                         // of those who come as the door wants it
  std::optional<PlainRequests> plain_requests_;        // of a door that does not serve them
  std::optional<session::HttpContext> plain_context_;  // the same
  std::optional<session::DetectParts> detect_;         // if there is something to decide before TLS
  std::optional<session::DetectParts> inner_;          // and on top of all that carries
  std::optional<session::ProxyParts> proxy_;           // if balancers send headers
  session::SessionMaker above_tls_;                    // if the door has it
  session::SessionMaker first_;
};

}  // namespace wharf::server
