#pragma once
#include <memory>
#include <string_view>
#include <vector>

#include "server/protocol_table.h"
#include "server/static_files.h"
#include "session/exchange.h"
#include "session/protocol.h"
#include "wharf/server.hpp"

namespace wharf::server {

/// Finds for each request the virtual host, and there the protocol table or the mount. One per loop.
class Router final : public session::Handler {
 public:
  /// Starts the protocol tables of all hosts; the first is that of the requests which match none. The error names what could not start.
  static base::Result<std::unique_ptr<Router>, Error> start(const RowList& rows, const std::vector<VirtualHost>& hosts,
                                                            const session::WsLimits& limits, session::Home& home);
  void handle(session::Exchange& exchange) override;

 private:
  struct Host {
    std::string name;
    std::vector<StaticFiles> mounts;  // longest prefix first
    std::unique_ptr<ProtocolTable> table;
  };

  [[nodiscard]] const Host& host_for(std::string_view authority) const;
  static void serve_path(session::Exchange& exchange, const Host& host);

  std::vector<Host> hosts_;
};

}  // namespace wharf::server
