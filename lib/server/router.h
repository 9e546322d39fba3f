#pragma once
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/clients.h"
#include "access/password_queue.h"
#include "http/exchange.h"
#include "link/users.h"
#include "protocol/protocol.h"
#include "protocol/request_view.h"
#include "protocol/table.h"
#include "server/host_mount.h"
#include "server/hosts/change.h"
#include "server/hosts/host.h"
#include "server/hosts/names.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// Finds for each request the virtual host, and there the mount or the protocol table. One per loop.
class Router final : public session::Handler, private session::Users::Owner {
 public:
  /// Starts the protocol tables and mounts of all hosts. The error names what could not start. `rows` outlives this. `outside` may
  /// be nullptr: then there are no proxies, and nothing is done on other threads; and so may `clients`: then nothing is counted by
  /// address.
  static base::Result<std::unique_ptr<Router>, Error> start(const RowList& rows, const std::vector<VirtualHost>& hosts,
                                                            const SessionLimits& limits, session::Home& home,
                                                            Outside* outside = nullptr, const FileLimits& files = {},
                                                            Clients* clients = nullptr,
                                                            UnknownHosts unknown = UnknownHosts::served);
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  void handle(session::Exchange& exchange) override;
  /// Whether the request is for a mount that is served without TLS on every door.
  [[nodiscard]] bool serves_without_tls(const session::Exchange& exchange) const;
  /// What speaks on a connection that a raw row has from its first byte: the row of the host that the client named by SNI, or else of
  /// the host for requests without a name. nullptr, with a line in the log, if there is no such row.
  std::unique_ptr<session::Session> open_raw(session::Link& link, std::string_view row);
  /// For a request that somebody else responds to: counts it, and gives it its line in the access log. False: it was one too many, and
  /// has its response.
  [[nodiscard]] bool note(session::Exchange& exchange);
  void refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) override;
  /// Also looks for the folders of mounts again.
  void reopen_logs();

  // A change of hosts: prepare(), and if all loops could do that, commit(), else abandon(). Each on a fresh stack.

  /// Starts what is new. The error names what could not start.
  Error prepare(const HostChange& change);
  /// Later requests see the change. Returns a number for the host that is out of service now, which lives until nobody uses it; or
  /// 0.
  std::uint64_t commit() noexcept;
  void abandon() noexcept;
  /// As Host::send_away(), if it is still there.
  void send_away(std::uint64_t number);

 private:
  class Waiting;
  /// The hosts that requests find.
  struct Setup {
    std::vector<Host*> hosts;  // in the order in which they were added
    HostNames<Host*> names;
    Host* fallback = nullptr;  // the one for all others, or nullptr
    Host* only = nullptr;      // whatever the name of a request is
    // Whether one of the hosts has this, so that nobody is asked for what none has.
    bool logs = false;
    bool limits_requests = false;
    bool strict_transport = false;
  };

  Router(const RowList& rows, const SessionLimits& limits, session::Home& home, const FileLimits& files, Outside* outside,
         Clients* clients, UnknownHosts unknown);

  [[nodiscard]] HostParts parts();
  [[nodiscard]] Setup setup(std::vector<Host*> hosts) const;
  /// `host` may be nullptr: there is none.
  bool admits(session::Exchange& exchange, const Host* host) const;
  [[nodiscard]] bool was_admitted(bool admitted) const;
  Host* noted(session::Exchange& exchange);
  void unused() noexcept override;
  void sweep() noexcept;

  [[nodiscard]] Host* find(std::string_view name) const;
  [[nodiscard]] bool is_for_another(const session::Exchange& exchange, const Host* host) const;
  void refuse(session::Exchange& exchange, int status, std::string_view why, std::string_view reason) const;
  void serve_host(session::Exchange& exchange, const codec::RequestHead& head, const Host& host) const;
  static void enter(session::Exchange& exchange, const Host& host, const HostMount& mount, std::string_view path);
  static void serve_user(session::Exchange& exchange, const Host& host, const HostMount* mount, std::string_view path,
                         const std::string& user);
  [[nodiscard]] static bool takes_websockets(const HostMount* mount);
  static bool check_origin(session::Exchange& exchange, const Host& host);
  static void serve_websocket(session::Exchange& exchange, const Host& host, const session::RequestPlace& place);

  const RowList& rows_;
  const SessionLimits limits_;
  session::Home& home_;
  Outside* outside_;
  const UnknownHosts unknown_;
  LoopFiles files_;
  Clients* clients_;
  std::optional<PasswordQueue> passwords_;
  std::list<std::unique_ptr<Host>> hosts_;  // those in service, the one that is coming, and those that are still used
  Setup now_;
  Setup next_;
  Host* coming_ = nullptr;
  Host* going_ = nullptr;
  /// Out of service, and perhaps still used.
  struct Gone {
    Host* host;
    std::uint64_t number;
  };
  std::vector<Gone> gone_;
  std::uint64_t last_number_ = 0;
  bool sweep_due_ = false;
};

}  // namespace wharf::server
