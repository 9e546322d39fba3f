#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "access/clients.h"
#include "access/origins.h"
#include "access/password_queue.h"
#include "http/exchange.h"
#include "observe/request_log.h"
#include "protocol/protocol.h"
#include "protocol/request_view.h"
#include "protocol/table.h"
#include "server/host_mount.h"
#include "wharf/config.hpp"

namespace wharf::server {

/// Finds for each request the virtual host, and there the mount or the protocol table. One per loop.
class Router final : public session::Handler {
 public:
  /// Starts the protocol tables and mounts of all hosts; the first is for requests that match none. The error names what could
  /// not start. `outside` may be nullptr: then there are no proxies, and nothing is done on other threads; and so may `clients`: then
  /// nothing is counted by address.
  static base::Result<std::unique_ptr<Router>, Error> start(const RowList& rows, const std::vector<VirtualHost>& hosts,
                                                            const session::WsLimits& limits, session::Home& home,
                                                            Outside* outside = nullptr, const FileLimits& files = {},
                                                            Clients* clients = nullptr);

  /// An empty text, or what is wrong with a host, in one line.
  static std::string check(const VirtualHost& host);

  void handle(session::Exchange& exchange) override;
  /// What speaks on a connection that a raw row has from its first byte: the row of the host that the client named by SNI, or else of
  /// the host for requests without a name. nullptr, with a line in the log, if there is no such row.
  std::unique_ptr<session::Session> open_raw(session::Link& link, std::string_view row);
  /// For a request that somebody else responds to: counts it, and gives it its line in the access log.
  void note(session::Exchange& exchange);
  void refused(const session::LinkPeer& peer, const session::ExchangeEnd& end) override;
  /// Also looks for the folders of mounts again.
  void reopen_logs();

 private:
  class Waiting;
  struct Host {
    explicit Host(const VirtualHost& host) : name(host.name), origins(host.origins) {}

    std::string name;
    codec::PreparedFields strict_transport;  // empty: not wanted
    AllowedOrigins origins;
    std::unique_ptr<RequestLog> log;                 // nullptr: none is written
    std::shared_ptr<RequestLimit> requests;          // nullptr: no limit; shared by the loops, as is
    std::shared_ptr<HostLoad> load;                  // the same
    std::unique_ptr<ProtocolTable> table;            // outlives the mounts, which name its rows
    std::vector<std::unique_ptr<HostMount>> mounts;  // longest prefix first
  };

  Router(session::Home& home, const FileLimits& files, Outside* outside, Clients* clients)
      : home_(home), outside_(outside), files_(files, outside), clients_(clients) {
    if (outside != nullptr) passwords_.emplace(*outside);
  }

  bool admits(session::Exchange& exchange, const Host& host) const;
  Error start_host(const RowList& rows, const VirtualHost& host, const session::WsLimits& limits);
  const Host& noted(session::Exchange& exchange);
  [[nodiscard]] const Host& host_for(std::string_view authority) const;
  static void serve_host(session::Exchange& exchange, const codec::RequestHead& head, const Host& host);
  static const HostMount* mount_for(const Host& host, std::string_view decoded_path);
  static void serve_path(session::Exchange& exchange, const Host& host, std::string_view path);
  static void enter(session::Exchange& exchange, const Host& host, const HostMount& mount, std::string_view path);
  static void serve_user(session::Exchange& exchange, const Host& host, const HostMount* mount, std::string_view path,
                         const std::string& user);
  static bool check_origin(session::Exchange& exchange, const Host& host);
  static void serve_websocket(session::Exchange& exchange, const Host& host, const session::RequestPlace& place);

  session::Home& home_;
  Outside* outside_;
  LoopFiles files_;
  Clients* clients_;
  std::optional<PasswordQueue> passwords_;
  std::vector<Host> hosts_;
};

}  // namespace wharf::server
