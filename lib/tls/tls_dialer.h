#pragma once
#include <memory>
#include <string>
#include <utility>

#include "link/environment.h"
#include "tls/named_contexts.h"
#include "tls/tls_link.h"

namespace wharf::tls {

/// Connects over TLS, on connections of the world outside. The time to connect is for both.
class TlsDialer final : public server::Dialer {
 public:
  /// `outside` and `parts` outlive this and all that it connects. A connection has the context that is current when its handshake begins:
  /// the own one of `contexts`, which is a client's. `server_name` as TlsLink has it.
  TlsDialer(server::Outside& outside, LoopParts& parts, std::shared_ptr<const CurrentContexts> contexts, std::string server_name)
      : outside_(outside), parts_(parts), contexts_(std::move(contexts)), server_name_(std::move(server_name)) {}

  [[nodiscard]] std::unique_ptr<server::Attempt> connect(const base::Endpoint& to, base::Time limit,
                                                         session::SessionMaker connected,
                                                         std::function<void(std::string_view)> failed) override;

 private:
  class Dial;
  class Handle;

  std::unique_ptr<session::Session> shake_hands(session::Link& below, base::Time until, const std::shared_ptr<Dial>& dial) const;

  server::Outside& outside_;
  LoopParts& parts_;
  std::shared_ptr<const CurrentContexts> contexts_;
  std::string server_name_;
};

}  // namespace wharf::tls
