#pragma once
#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "access/clients.h"
#include "http/h1.h"
#include "io/listener.h"
#include "io/loop.h"
#include "protocol/handles.h"
#include "protocol/protocol.h"
#include "protocol/statistics.h"
#include "server/entry/entrance.h"
#include "server/loop_outside.h"
#include "server/open_door.h"
#include "server/router.h"

namespace wharf::server {

io::KeepAlive keep_alive_of(const Limits& limits);

/// What the public limits mean to each room; `connections` is for all loops together.
struct RoomLimits {
  RoomLimits(const Limits& limits, std::size_t connections);

  session::WsLimits ws;
  session::HttpLimits http;
  io::LoopLimits loop;
  base::Time tls_handshake;
  base::Time proxy_header_time;
  std::size_t proxy_header;
};

/// What a server lends to its workers.
struct WorkerParts {
  const RowList& rows;
  const std::vector<VirtualHost>& hosts;
  const FileLimits& files;
  session::Statistics& statistics;
  session::LoopCounts& counts;  ///< of this worker's loop, one of those of the statistics
  Executors& executors;
  Certificates& certificates;
  base::Log& log;
  const codec::TrustedFronts* fronts = nullptr;  ///< nullptr: nobody is trusted
  Clients* clients = nullptr;                    ///< nullptr: nothing is counted by address
  UnknownHosts unknown_hosts = UnknownHosts::served;
};

/// One loop and everything of the server that lives on it. Made, used and destroyed on the loop's thread.
class Worker {
 public:
  static base::Result<std::unique_ptr<Worker>, Error> create(uv_loop_s* foreign, const RoomLimits& limits,
                                                             const WorkerParts& parts);

  /// The door, whose socket this is, outlives this. The error says that the system refuses to watch the socket.
  Error accept_from(io::ListeningSocket socket, const OpenDoor& door);
  /// As Clients::admit(): once for each accepted connection, as soon as its client is known, which is at once unless a PROXY header
  /// comes first. False: the link is to be cut.
  [[nodiscard]] bool admit(session::Link& link);
  [[nodiscard]] io::Loop& loop() { return *loop_; }
  void reopen_logs() { router_->reopen_logs(); }

  /// As the router's. When a host is removed, its conversations end as the change says.
  Error prepare(const HostChange& change) { return router_->prepare(change); }
  void commit(const HostChange& change);
  void give_up_change() { router_->abandon(); }

  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

 private:
  class Farewell;

  Worker(const RoomLimits& limits, std::unique_ptr<io::Loop> loop, const WorkerParts& parts);

  RoomLimits limits_;
  std::unique_ptr<io::Loop> loop_;  // first made and last gone
  session::Handles handles_;
  session::Home home_;
  LoopOutside outside_;
  Clients* clients_;
  std::unique_ptr<Router> router_;
  std::list<std::unique_ptr<Farewell>> farewells_;
  std::optional<session::HttpContext> http_;
  std::vector<std::unique_ptr<Entrance>> entrances_;  // of the doors
};

}  // namespace wharf::server
